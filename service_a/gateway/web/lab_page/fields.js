// What the OpenAPI document says about the facts of a house, and a control for each.
import { make, showNumber } from "./elements.js";
import { get } from "./service.js";

const DESCRIPTION = /^(.*?)(?: Unit: (.*?)\.)?(?: null means .*)?$/s;

/** Return the facts of a house, and an example for the model of the second contract. */
export async function readFields() {
  const { components: { schemas: { HouseToForward: house, InstancesRequest: other } } } = await get("openapi.json");
  const { id: _, ...facts } = house.properties; // the id is no fact
  return [Object.entries(facts).map(([name, schema]) => describe(name, schema, house.required)), other?.example.instances[0]];
}

function describe(name, schema, required) {
  const rules = schema.anyOf ?? [schema];
  const { enum: words, minimum, maximum } = rules.find((each) => each.enum || each.maximum !== undefined) ?? {};
  const [, meaning, unit] = DESCRIPTION.exec(schema.description);
  const choices = words && [...words, ...(rules.some(({ type }) => type === "null") ? [null] : [])];
  const show = /year|yr/i.test(name) ? String : showNumber;
  const allowed = words ? "" : ` ${show(minimum)} to ${show(maximum)}${unit ? ` ${unit}` : ""}.`;
  return { name, required: required.includes(name), choices, hint: meaning + allowed, example: schema.examples?.[0] };
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
