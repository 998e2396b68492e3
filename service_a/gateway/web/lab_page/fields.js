// What the OpenAPI document says about the facts of a house, and a control for each.
import { make, showNumber } from "./elements.js";
import { call } from "./service.js";

const DESCRIPTION = /^(.*?)(?: Unit: (.*?)\.)?(?: null means .*)?$/s;

/** Return the facts of a house, and an example for the model of the second contract. */
export async function readFields() {
  const { components: { schemas } } = await (await call("openapi.json")).json();
  const { properties, required } = schemas.HouseToForward;
  const names = Object.keys(properties).filter((name) => name !== "id"); // no fact of the house
  const fields = names.map((name) => describe(name, properties[name], required.includes(name)));
  return [fields, schemas.InstancesRequest?.example.instances[0]];
}

function describe(name, schema, required) {
  const rules = schema.anyOf ?? [schema];
  const rule = rules.find((each) => each.enum || each.maximum !== undefined) ?? {};
  const [, meaning, unit] = DESCRIPTION.exec(schema.description);
  const nullable = rules.some((each) => each.type === "null");
  const choices = rule.enum && [...rule.enum, ...(nullable ? [null] : [])];
  const allowed = rule.enum ? "" : ` ${showNumber(rule.minimum)} to ${showNumber(rule.maximum)}${unit ? ` ${unit}` : ""}.`;
  const hint = `${meaning}${/year|yr/i.test(name) ? allowed.replaceAll(",", "") : allowed}`;
  return { name, required, choices, hint, example: schema.examples?.[0] };
}

/** Service B may name a field in snake_case or in camelCase. */
export const plain = (name) => String(name).replaceAll("_", "").toLowerCase();

/** A control with its name, meaning and place for a problem; `change` gets the value, or undefined. */
export function makeControl(field, value, change, remove) {
  const id = `fact-${field.name}`;
  const about = { id, "aria-describedby": `${id}-hint ${id}-problem` };
  const control = field.choices
    ? make("select", { ...about, change: () => change(field.choices[control.selectedIndex]) },
      ...field.choices.map((choice) => make("option", { selected: choice === value },
        choice === null ? "none (null)" : String(choice))))
    : make("input", { ...about, value: value === null ? "null" : String(value ?? ""), inputmode: "decimal",
      autocomplete: "off", input: () => change(readNumber(control.value)) });
  return make("div", { class: "fact", "data-field": plain(field.name) },
    make("label", { for: id }, field.name), control,
    remove && make("button", { type: "button", class: "remove", "aria-label": `Leave out ${field.name}`, click: remove }, "×"),
    make("small", { id: `${id}-hint` }, field.hint), make("small", { id: `${id}-problem`, class: "problem" }));
}

/** What is no number is sent as it was typed: the server says what is wrong with it. */
function readNumber(text) {
  const trimmed = text.trim();
  if (trimmed === "") return undefined;
  if (trimmed === "null") return null;
  return Number.isFinite(Number(trimmed)) ? Number(trimmed) : text;
}

/** Show each problem at its field; return the first control with one. */
export function showProblems(container, problems) {
  for (const fact of container.querySelectorAll(".fact")) {
    const own = problems.filter(({ loc }) => plain(loc[2]) === fact.dataset.field);
    fact.querySelector(".problem").textContent = own.map(({ msg }) => msg).join(" ");
    fact.querySelector("input, select").setAttribute("aria-invalid", String(own.length > 0));
  }
  return container.querySelector("[aria-invalid=true]");
}
