// Faults to switch on, each with a question to answer first.
import { find, make } from "./elements.js";
import { on } from "./events.js";
import { load } from "./load.js";
import { call } from "./service.js";

const LOAD_PER_SECOND = 10;
const MS = { name: "ms", label: "ms", value: 500, min: 1, max: 60_000 };
const SHARE = { name: "share", label: "share of the calls", value: 0.5, min: 0, max: 1, step: 0.1 };

const FAULTS = [
  { service: "service_b", kind: "delay", setting: MS, title: "Service B is slow",
    question: "Each prediction takes half a second longer. Ten callers a second: does each wait for all before it?",
    look: "The times of the answer, and the numbers in the dots: inputs that wait go together in the next call." },
  { service: "service_b", kind: "hang", title: "Service B hangs",
    question: "It takes calls and never answers. What will callers see, and after how long?",
    look: "3 s at first, the limit for a forward; then the circuit opens, and 503 comes at once." },
  { service: "service_b", kind: "error", setting: SHARE, title: "Service B fails now and then",
    question: "Half of its answers are 500. Will half of the callers see an error?",
    look: "Fewer do: some calls are made a second time. Five failures in a row open the circuit." },
  { service: "service_b", kind: "garbage", title: "Service B talks nonsense",
    question: "It answers 200, but the body isn't JSON. What will callers see?",
    look: "503: an answer that Service A can't read is no answer, whatever its status." },
  { service: "service_b", kind: "wrong_shape", title: "Service B answers something else",
    question: "It answers 200 with good JSON that holds no prediction. Is that passed on?",
    look: "503 again. A service that trusts its neighbour's answers fails with it." },
  { service: "service_b", kind: "not_ready", title: "Service B has no model",
    question: "The process runs and has nothing to predict with. Is that different from a crash?",
    look: "For callers it isn't. Service B's health differs: whoever runs it must know." },
  { service: "service_b", kind: "drip", title: "Service B answers drop by drop",
    question: "A byte now and then: no single read takes long. Does Service A ever give up?",
    look: "After 3 s: the limit is for the whole answer, not for each read." },
  { service: "service_a", kind: "log_full", title: "The log's disk is full",
    question: "Service B is fine. Do callers still get their price?",
    look: "No: 503, and nothing goes to Service B. What can't be logged isn't forwarded." },
  { service: "service_a", kind: "log_slow", setting: { ...MS, value: 200 }, title: "The log's disk is slow",
    question: "Each write takes 200 ms. Are five requests a second the most that get through?",
    look: "No: whoever waits is written together, in one go. Each waits longer, but all get through." },
];

export function startBreaking() {
  find("faults").replaceChildren(...FAULTS.map(makeCard));
  on("connected", findOut);
  on("state", ({ faults }) => FAULTS.forEach((fault) => showFault(fault, faults[fault.service] ?? [])));
}

/** Without LAB_FAULTS=1 the routes don't exist. */
async function findOut() {
  const { ok } = await call("faults");
  find("faults-on").hidden = !ok;
  find("faults-off").hidden = ok;
}

const path = ({ service, kind }) => `faults/${service === "service_b" ? "service_b/" : ""}${kind}`;

function makeCard(fault) {
  const { kind, title, question, look, setting } = fault;
  const input = setting && make("input", { type: "number", value: setting.value, min: setting.min, max: setting.max, step: setting.step, required: true });
  const card = make("article", { id: `fault-${kind}`, "aria-labelledby": `fault-${kind}-title` },
    make("h3", { id: `fault-${kind}-title` }, title), make("p", {}, question),
    make("div", { class: "actions" }, setting && make("label", {}, input, ` ${setting.label}`),
      make("button", { type: "button", "aria-describedby": `fault-${kind}-title`, click: () => change(fault, input) }, "Break it")),
    make("p", { class: "left", role: "status" }),
    make("details", {}, make("summary", {}, "What to look at"), make("p", {}, look)));
  return card;
}

async function change(fault, input) {
  const seconds = find("fault-seconds");
  if (!seconds.reportValidity() || (input && !input.reportValidity())) return;
  const card = find(`fault-${fault.kind}`);
  const broken = card.classList.contains("broken");
  const body = { seconds: seconds.valueAsNumber, ...(input && { [fault.setting.name]: input.valueAsNumber }) };
  try {
    const answer = await call(path(fault), broken ? { method: "DELETE" }
      : { method: "PUT", headers: { "Content-Type": "application/json" }, body: JSON.stringify(body) });
    if (!answer.ok) {
      const { detail } = await answer.json();
      card.querySelector(".left").textContent = Array.isArray(detail) ? detail.map(({ msg }) => msg).join(" ") : detail;
    } else if (!broken && find("under-load").checked) {
      load(LOAD_PER_SECOND, Math.min(30, body.seconds + 5));
    }
  } catch {
    card.querySelector(".left").textContent = "Service A can't be reached.";
  }
}

function showFault({ kind }, inForce) {
  const card = find(`fault-${kind}`);
  const fault = inForce.find((each) => each.kind === kind);
  const broken = fault !== undefined;
  if (broken !== card.classList.contains("broken")) {
    card.classList.toggle("broken", broken);
    card.querySelector("button").textContent = broken ? "Mend it" : "Break it";
    card.querySelector(".left").textContent = broken ? "In force" : "Ended";
    if (broken) card.querySelector("details").open = false;
  }
}
