// Faults to switch on, each with a question to answer first.
import { find, make } from "./elements.js";
import { on, say } from "./events.js";
import { load } from "./load.js";
import { call } from "./service.js";

const LOAD_PER_SECOND = 10;
const MS = { name: "ms", label: "ms", value: 500, min: 1, max: 10_000 };
const SHARE = { name: "share", label: "of the calls", value: 0.5, min: 0.1, max: 1, step: 0.1 };

const FAULTS = [
  { kind: "delay", setting: MS, title: "Service B is slow",
    question: "Each call takes half a second longer. Ten callers a second: does each wait for all before it?",
    look: "No: the numbers in the dots grow. What waits goes together in the next call." },
  { kind: "hang", title: "Service B hangs",
    question: "It takes calls and never answers. What will callers see, and after how long?",
    look: "503 after 3 s, the limit for a forward. After five failed calls the circuit opens, and 503 comes at once." },
  { kind: "error", setting: SHARE, title: "Service B fails now and then",
    question: "Half of its answers are 500. Will half of the callers see an error?",
    look: "Fewer: Service A makes some calls a second time. Five failures in a row open the circuit." },
  { kind: "garbage", title: "Service B talks nonsense",
    question: "It answers 200, but the body isn't JSON. What will callers see?",
    look: "503: an answer that Service A can't read is no answer, whatever its status." },
  { kind: "wrong_shape", title: "Service B answers something else",
    question: "It answers 200 with good JSON, in which the price is “a lot”. Is that passed on?",
    look: "503 again: a service that trusts its neighbour's answers fails with it." },
  { kind: "not_ready", title: "Service B has no model",
    question: "The process runs and has nothing to predict with. Is that different from a crash?",
    look: "Not for callers. Service B's health says it, for whoever runs the service." },
  { kind: "drip", title: "Service B answers drop by drop",
    question: "A byte now and then: no single read takes long. Does Service A ever give up?",
    look: "After 3 s: the limit is for the whole answer, not for each read." },
  { kind: "log_full", title: "The log's disk is full",
    question: "Service B is fine. Do callers still get their price?",
    look: "No: 503, and nothing goes to Service B. What can't be logged isn't forwarded." },
  { kind: "log_slow", setting: { ...MS, value: 200 }, title: "The log's disk is slow",
    question: "Each write takes 200 ms. Are five requests a second the most that get through?",
    look: "No: what waits is written together, in one go. Each waits longer, and all get through." },
];

export function startBreaking() {
  find("faults").replaceChildren(...FAULTS.map(makeCard));
  on("connected", findOut);
  on("state", ({ faults }) => {
    const inForce = [...faults.service_a, ...faults.service_b];
    for (const { kind } of FAULTS) showFault(find(`fault-${kind}`), inForce.find((each) => each.kind === kind));
  });
}

/** Without LAB_FAULTS=1 the routes don't exist. */
async function findOut() {
  const { paths } = await (await call("openapi.json")).json();
  find("faults-on").hidden = !("/faults" in paths);
  find("faults-off").hidden = "/faults" in paths;
}

function makeCard(fault) {
  const { kind, title, question, look, setting: { name: _, label, ...range } = {} } = fault;
  const input = label && make("input", { type: "number", required: true, ...range });
  return make("article", { id: `fault-${kind}`, "aria-labelledby": `${kind}-title` },
    make("h3", { id: `${kind}-title` }, title), make("p", {}, question),
    make("div", { class: "actions" }, label && make("label", {}, input, ` ${label}`),
      make("button", { type: "button", "aria-describedby": `${kind}-title`, click: () => change(fault, input) }, "Break it"),
      make("span", { role: "status" })),
    make("details", {}, make("summary", {}, "What happens"), make("p", {}, look)));
}

async function change({ kind, setting }, input) {
  const seconds = find("fault-seconds");
  if (!seconds.reportValidity() || (input && !input.reportValidity())) return;
  const card = find(`fault-${kind}`);
  const broken = card.classList.contains("broken");
  const body = { seconds: seconds.valueAsNumber, ...(input && { [setting.name]: input.valueAsNumber }) };
  const answer = await call(`faults/${kind.startsWith("log_") ? "" : "service_b/"}${kind}`, broken ? { method: "DELETE" }
    : { method: "PUT", headers: { "Content-Type": "application/json" }, body: JSON.stringify(body) }).catch(() => undefined);
  if (!answer?.ok) card.querySelector("[role=status]").textContent = `It did not work${answer ? `: ${answer.status}` : ""}`;
  else if (!broken && find("under-load").checked) load(LOAD_PER_SECOND, Math.min(30, body.seconds + 5));
  say("broken");
}

function showFault(card, fault) {
  card.querySelector("button").textContent = fault ? `Mend it, ${Math.round(fault.seconds)} s left` : "Break it";
  if (Boolean(fault) === card.classList.contains("broken")) return;
  card.querySelector("[role=status]").textContent = card.classList.toggle("broken") ? "In force" : "Ended";
}
