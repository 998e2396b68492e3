// The form: a real house, its facts, and the same request for a terminal.
import { showAnswer } from "./answer.js";
import { find, make, showNumber } from "./elements.js";
import { on, say } from "./events.js";
import { makeControl, readFields, showProblems } from "./fields.js";
import { call, hasKey, send } from "./service.js";

const SUGGESTIONS = 6;
const HOUSE_MODELS = ["", "ames"]; // the form is for these
let fields, houses, otherInput;
let current = -1, facts = {}; // which house, and what is said of it
let changed = false; // then the sale price is no longer this house's

export async function startSending() {
  find("send-form").addEventListener("submit", submit);
  [[fields, otherInput], houses] = await Promise.all([readFields(), call("lab/houses.json").then((answer) => answer.json())]);
  find("another").addEventListener("click", takeHouse);
  find("search").addEventListener("input", showOptional);
  find("leave-out").addEventListener("click", leaveOut);
  find("to-form").addEventListener("click", () => { find("model").value = ""; showRequest(); });
  find("json").addEventListener("input", () => { changed = true; showHouse(); showCommands(); });
  find("forward").addEventListener("change", showCommands);
  find("model").addEventListener("change", chooseModel);
  for (const button of document.querySelectorAll("[data-copy]")) button.addEventListener("click", copy);
  on("connected", showCommands); // by then it is clear whether a key is needed
  on("state", ({ service_b: { models } }) => showModels(models.map(({ name }) => name)));
  takeHouse();
  find("send-button").setAttribute("aria-disabled", "false");
}

/** A request like the form's, for one of the houses; for another model than theirs, the form's. */
export const composeAny = () =>
  compose(takesHouses() ? JSON.stringify(houses[Math.floor(Math.random() * houses.length)].facts) : undefined);
const escape = (json) => // PowerShell takes typographic quotes for quotes, and 5.1 sends other letters wrongly
  json.replace(/[^\x00-\x7e]/g, (unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, "0")}`);
const takesHouses = () => HOUSE_MODELS.includes(find("model").value);

function takeHouse() {
  current = (current + 1) % houses.length;
  [facts, changed] = [{ ...houses[current].facts }, false];
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
  const { title, facts: { grLivArea: area, overallQual: quality } } = houses[current];
  const words = `${showNumber(area)} sq ft, quality ${quality} of 10, ${Object.keys(facts).length} facts.`;
  find("house").replaceChildren(make("b", {}, changed ? "A house of your own" : title), make("span", {},
    changed ? `It began as: ${title}.` : `${words} It was really sold. For how much?`));
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
  setFact(field, [houses[current].facts[field.name], field.example].find((value) => value !== undefined));
  showOptional();
  find(`fact-${field.name}`).focus();
}

function showRequest() {
  const optional = fields.filter(({ required }) => !required);
  const given = optional.filter(({ name }) => name in facts).length;
  find("optional-count").textContent = `${given} of ${optional.length} other facts given`;
  find("json").value = JSON.stringify(facts, null, 2);
  find("facts-part").hidden = !takesHouses();
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
  const body = compose(find("json").value.replace(/\s*\n\s*/g, " "));
  const key = hasKey();
  find("curl").textContent = `curl -X POST ${url} -H 'Content-Type: application/json' \\\n${
    key ? '  -H "X-API-Key: $LAB_KEY" \\\n' : ""}  -d '${body.replaceAll("'", "'\\''")}'`;
  find("powershell").textContent = `Invoke-RestMethod -Method Post ${url} -ContentType application/json \`\n${
    key ? "  -Headers @{'X-API-Key' = $env:LAB_KEY} `\n" : ""}  -Body '${escape(body).replaceAll("'", "''")}'`;
}

function showModels(names) {
  const select = find("model");
  const shown = [...select.options].map(({ value }) => value);
  for (const name of names.filter((each) => !shown.includes(each))) select.add(new Option(name, name));
}

/** The input of another model is written as JSON. */
function chooseModel() {
  showRequest();
  find("as-json").open = !takesHouses();
  if (!takesHouses() && otherInput) find("json").value = JSON.stringify(otherInput, null, 2);
  showCommands();
}

async function submit(event) {
  event.preventDefault();
  const button = find("send-button");
  if (button.getAttribute("aria-disabled") === "true") return;
  button.setAttribute("aria-disabled", "true"); // disabled, it would lose the keyboard's focus
  find("sent").textContent = "On its way…";
  const salePrice = changed || !takesHouses() ? undefined : houses[current].salePrice;
  const started = performance.now();
  try {
    const answer = await send(compose());
    const body = await answer.json();
    find("sent").textContent = showAnswer(answer, body, performance.now() - started, salePrice);
    showAll(answer.status === 422 ? body.detail : []);
  } catch {
    find("sent").textContent = "No answer: Service A can't be reached.";
  } finally {
    button.setAttribute("aria-disabled", "false");
  }
}

/** Show all problems, even at facts that the search has left out. */
function showAll(problems) {
  if (problems.length) {
    find("search").value = "";
    showOptional();
  }
  const first = showProblems(find("facts-part"), problems);
  if (find("given").contains(first)) find("optional").open = true;
  first?.focus();
}

async function copy({ target }) {
  const text = find(target.dataset.copy);
  getSelection().selectAllChildren(text);
  // A page without HTTPS has no clipboard; the text is selected for the keyboard.
  const copied = await navigator.clipboard?.writeText(text.textContent).then(() => true, () => false);
  target.textContent = copied ? "Copied" : "Press Ctrl+C to copy";
}
