// The form: a real house, its facts, and the same request for a terminal.
import { showAnswer } from "./answer.js";
import { find, make, showDollars, showNumber } from "./elements.js";
import { on, say } from "./events.js";
import { makeControl, plain, readFields, showProblems } from "./fields.js";
import { call, hasKey, send } from "./service.js";

const SUGGESTIONS = 6;
let fields = [];
let houses = [];
let current = -1; // which house
let facts = {};
let changed = false; // then the sale price is no longer this house's

export async function startSending() {
  [fields, houses] = await Promise.all([readFields(), call("lab/houses.json").then((answer) => answer.json())]);
  find("send-form").addEventListener("submit", submit);
  find("another").addEventListener("click", takeHouse);
  find("search").addEventListener("input", showOptional);
  find("leave-out").addEventListener("click", leaveOut);
  find("to-form").addEventListener("click", () => { find("model").value = ""; showRequest(); });
  find("json").addEventListener("input", showCommands);
  find("forward").addEventListener("change", showCommands);
  find("model").addEventListener("change", chooseModel);
  for (const button of document.querySelectorAll("[data-copy]")) button.addEventListener("click", copy);
  on("state", ({ service_b: { models } }) => showModels(models.map(({ name }) => name)));
  takeHouse();
}

/** A request like the form's, for one of the houses. */
export function composeAny() {
  return compose(JSON.stringify(houses[Math.floor(Math.random() * houses.length)].facts));
}

function takeHouse() {
  current = (current + 1) % houses.length;
  facts = { ...houses[current].facts };
  changed = false;
  find("model").value = "";
  showHouse();
  showFacts();
}

function leaveOut() {
  facts = Object.fromEntries(fields.filter(({ required }) => required).map(({ name }) => [name, facts[name]]));
  showFacts();
  find("search").focus();
  say("left-out");
}

function showHouse() {
  const { title } = houses[current];
  const count = Object.keys(facts).length;
  find("house").replaceChildren(make("b", {}, changed ? "A house of your own" : title), make("span", {},
    changed ? `made from: ${title}; ${count} facts`
      : `${showNumber(facts.grLivArea)} sq ft, quality ${facts.overallQual} of 10, ${count} facts. It was really sold. For how much?`));
}

function showFacts() {
  find("required").replaceChildren(...fields.filter(({ required }) => required).map(showFact));
  showOptional();
  showRequest();
}

const showFact = (field) => makeControl(field, facts[field.name], (value) => setFact(field, value),
  field.required ? undefined : () => { setFact(field, undefined); showOptional(); find("search").focus(); });

function setFact({ name }, value) {
  if (value === undefined) delete facts[name];
  else facts[name] = value;
  // To say less of a house makes no other house of it.
  changed ||= value !== undefined && value !== houses[current].facts[name];
  showRequest();
}

function showOptional() {
  const words = find("search").value.toLowerCase().split(/\s+/);
  const found = fields.filter(({ required, name, hint }) => !required
    && words.every((word) => `${name} ${hint}`.toLowerCase().includes(word)));
  const given = found.filter(({ name }) => name in facts);
  const others = found.filter(({ name }) => !(name in facts)).slice(0, SUGGESTIONS);
  find("given").replaceChildren(...given.map(showFact), ...others.map((field) =>
    make("button", { type: "button", class: "add", click: () => addFact(field) },
      make("b", {}, `Add ${field.name}`), ` ${field.hint}`)));
}

function addFact(field) {
  setFact(field, houses[current].facts[field.name] ?? field.example ?? field.choices?.[0]);
  showOptional();
  find(`fact-${field.name}`).focus();
}

function showRequest() {
  const optional = fields.filter(({ required }) => !required);
  const given = optional.filter(({ name }) => name in facts).length;
  find("optional-count").textContent = `${given} of ${optional.length} other facts given`;
  find("json").value = JSON.stringify(facts, null, 2);
  find("facts-part").hidden = find("model").value !== "";
  showHouse();
  showCommands();
}

/** The JSON is the input: the form only writes it. */
function compose(data = find("json").value) {
  const model = find("model").value;
  return `{"data": ${data}${find("forward").value === "no" ? ', "forward_to_model": false' : ""}${model ? `, "model": ${JSON.stringify(model)}` : ""}}`;
}

function showCommands() {
  const url = new URL("process", document.baseURI).href;
  const body = compose(oneLine(find("json").value));
  const key = hasKey();
  find("curl").textContent = `curl -X POST ${url} -H 'Content-Type: application/json' \\\n${
    key ? '  -H "X-API-Key: $LAB_KEY" \\\n' : ""}  -d '${body.replaceAll("'", "'\\''")}'`;
  find("powershell").textContent = `Invoke-RestMethod -Method Post ${url} -ContentType application/json \`\n${
    key ? "  -Headers @{'X-API-Key' = $env:LAB_KEY} `\n" : ""}  -Body '${body.replaceAll("'", "''")}'`;
}

const oneLine = (json) => json.split("\n").map((line) => line.trim()).join(" ");

function showModels(names) {
  const select = find("model");
  const shown = [...select.options].map(({ value }) => value);
  for (const name of names.filter((each) => !shown.includes(each))) select.add(new Option(name, name));
}

/** The form describes what the default model takes; the input of another is written as JSON. */
function chooseModel() {
  showRequest();
  find("as-json").open = find("model").value !== "";
}

async function submit(event) {
  event.preventDefault();
  const button = find("send-form").querySelector(".primary");
  if (button.getAttribute("aria-disabled") === "true") return;
  button.setAttribute("aria-disabled", "true"); // disabled, it would lose the keyboard's focus
  find("sent").textContent = "On its way…";
  const body = compose();
  const started = performance.now();
  try {
    const answer = await send(body);
    const text = await answer.text();
    const house = changed ? {} : houses[current];
    find("sent").textContent = showAnswer(answer, text, performance.now() - started, house.salePrice);
    const { detail } = answer.status === 422 ? JSON.parse(text) : { detail: [] };
    const first = showProblems(find("facts-part"), Array.isArray(detail) ? detail : []);
    if (first) {
      if (find("given").contains(first)) find("optional").open = true;
      first.focus();
    }
  } catch {
    find("sent").textContent = "No answer: Service A can't be reached.";
  } finally {
    button.setAttribute("aria-disabled", "false");
  }
}

async function copy({ target }) {
  const text = find(target.dataset.copy);
  getSelection().selectAllChildren(text);
  try {
    await navigator.clipboard.writeText(text.textContent);
    target.textContent = "Copied";
  } catch {
    target.textContent = "Press Ctrl+C to copy"; // a page without HTTPS may not
  }
}
