// The form: a real house and its facts. What is sent is the JSON below it; the two follow each other.
import { showAnswer } from "./answer.js";
import { showCommands, startSelecting } from "./commands.js";
import { find, make, showNumber } from "./elements.js";
import { on, say } from "./events.js";
import { makeControl, readFields, showProblems } from "./fields.js";
import { get, send } from "./service.js";

const SUGGESTIONS = 6;
const HOUSE_MODELS = ["", "ames"]; // the form is for these
let fields, houses, otherInput;
let current = -1; // which house
let facts; // what is said of it
let forHouses = true; // whether the JSON is a house

export async function startSending() {
  find("send-form").addEventListener("submit", submit);
  [[fields, otherInput], houses] = await Promise.all([readFields(), get("lab/houses.json")]);
  find("another").addEventListener("click", takeHouse);
  find("search").addEventListener("input", showOptional);
  find("leave-out").addEventListener("click", leaveOut);
  find("to-form").addEventListener("click", () => setHouse(facts));
  find("json").addEventListener("input", readJson);
  find("forward").addEventListener("change", showRequest);
  find("model").addEventListener("change", chooseModel);
  on("connected", showRequest); // by then it is clear whether a key is needed
  on("state", ({ service_b: { models } }) => showModels(models.map(({ name }) => name)));
  startSelecting();
  takeHouse();
  find("send-button").setAttribute("aria-disabled", "false");
}

/** A request like the form's, for one of the houses; for another model than theirs, the form's. */
export const composeAny = () =>
  compose(forHouses ? JSON.stringify(houses[Math.floor(Math.random() * houses.length)].facts) : undefined);

function compose(data = find("json").value) {
  const model = find("model").value;
  const options = (find("forward").value === "no" ? ', "forward_to_model": false' : "")
    + (model ? `, "model": ${JSON.stringify(model)}` : "");
  return `{"data": ${data}${options}}`;
}

function takeHouse() {
  current = (current + 1) % houses.length;
  setHouse(houses[current].facts);
}

function leaveOut() {
  setHouse(Object.fromEntries(fields.filter(({ required }) => required).map(({ name }) => [name, facts[name]])));
  find("search").focus();
  say("left-out");
}

function setHouse(said) {
  if (!forHouses) find("model").value = "";
  forHouses = true;
  writeJson(said);
  readJson();
}

/** The input of another model than the houses' is written as JSON. */
function chooseModel() {
  const before = forHouses;
  forHouses = HOUSE_MODELS.includes(find("model").value);
  if (forHouses !== before) writeJson(forHouses ? facts : otherInput);
  find("as-json").open ||= !forHouses;
  readJson();
}

function writeJson(data) {
  find("json").value = JSON.stringify(data, null, 2);
}

/** Show in the form what the JSON says of a house, unless it says what the form can't show. */
function readJson() {
  let said;
  try {
    said = JSON.parse(find("json").value);
  } catch {
    // It is sent all the same: the server says what is wrong with it.
  }
  const isHouse = forHouses && said?.constructor === Object;
  find("facts-part").hidden = !isHouse;
  if (isHouse) {
    facts = said;
    find("required").replaceChildren(...fields.filter(({ required }) => required).map(showFact));
    showOptional();
  }
  showRequest();
}

const showFact = (field) => makeControl(field, facts[field.name], (value) => setFact(field, value),
  field.required ? undefined : () => { setFact(field, undefined); showOptional(); find("search").focus(); });

function setFact({ name }, value) {
  if (value === undefined) delete facts[name];
  else facts[name] = value;
  writeJson(facts);
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

/** Less may be said of a house than is true of it; whatever differs makes it another. */
const isReal = () => !find("facts-part").hidden
  && Object.entries(facts).every(([name, value]) => value === houses[current].facts[name]);

function showRequest() {
  const { title, facts: { grLivArea: area, overallQual: quality } } = houses[current];
  const words = `${showNumber(area)} sq ft, quality ${quality} of 10, ${Object.keys(facts).length} facts.`;
  find("house").replaceChildren(make("h3", {}, isReal() ? title : "An input of your own"),
    make("p", { class: "quiet" }, isReal() ? `${words} It was really sold. For how much?` : "Nobody can say yet what it is worth."));
  find("facts-given").textContent = `${Object.keys(facts).length} of ${fields.length} facts given`;
  showCommands(compose(find("json").value.replace(/\s*\n\s*/g, " ")));
}

function showModels(names) {
  const select = find("model");
  const shown = [...select.options].map(({ value }) => value);
  for (const name of names.filter((each) => !shown.includes(each))) select.add(new Option(name, name));
}

async function submit(event) {
  event.preventDefault();
  const button = find("send-button");
  if (button.getAttribute("aria-disabled") === "true") return;
  button.setAttribute("aria-disabled", "true"); // disabled, it would lose the keyboard's focus
  find("sent").textContent = "On its way…";
  const salePrice = isReal() ? houses[current].salePrice : undefined;
  const started = performance.now();
  const answer = await send("POST", "process", compose()).catch(() => undefined);
  const body = await answer?.json().catch(() => undefined); // a proxy may answer in HTML
  button.setAttribute("aria-disabled", "false");
  if (body) {
    find("sent").textContent = showAnswer(answer, body, performance.now() - started, salePrice);
    showAll(answer.status === 422 ? body.detail : []);
  } else {
    find("sent").textContent = answer ? `The answer is no JSON: ${answer.status}.` : "No answer: Service A can't be reached.";
  }
}

/** Show all problems, even at facts that the search has left out. */
function showAll(problems) {
  if (problems.length && !find("facts-part").hidden) {
    find("search").value = "";
    showOptional();
  }
  const first = showProblems(find("facts-part"), problems);
  if (find("given").contains(first)) find("optional").open = true;
  first?.focus();
}
