// Faults to switch on, each with a question to answer first.
import { find, make, write } from "./elements.js";
import { on, say } from "./events.js";
import { load } from "./load.js";
import { call, get, send } from "./service.js";

const LOAD_PER_SECOND = 10;

export async function startBreaking() {
  on("connected", findOut);
  const faults = await get("lab/faults.json");
  find("faults").replaceChildren(...faults.map(makeCard));
  on("state", ({ faults: { service_a: ofA, service_b: ofB } }) => {
    const inForce = [...ofA, ...ofB];
    write("faulty", sayWhich(inForce.map(({ kind }) => kind)));
    for (const { kind } of faults) showFault(find(`fault-${kind}`), inForce.find((each) => each.kind === kind));
  });
}

/** Without LAB_FAULTS=1 the routes don't exist. */
async function findOut() {
  const { paths } = await get("openapi.json");
  find("faults-on").hidden = !("/faults" in paths);
  find("faults-off").hidden = "/faults" in paths;
}

const sayWhich = (kinds) => (kinds.length ? `In force: ${kinds.join(", ")}` : find("faults-on").hidden ? "" : "Faults are on");

function makeCard(fault) {
  const { kind, title, question, look, setting: { name: _, label, ...range } = {} } = fault;
  const input = label && make("input", { type: "number", required: true, ...range });
  return make("article", { id: `fault-${kind}`, "aria-labelledby": `${kind}-title` },
    make("h3", { id: `${kind}-title` }, title), make("p", {}, question),
    make("div", { class: "actions" }, label && make("label", {}, input, ` ${label}`),
      make("button", { id: `break-${kind}`, type: "button", "aria-describedby": `${kind}-title`, click: () => change(fault, input) }, "Break it"),
      make("span", { role: "status" })),
    make("details", {}, make("summary", {}, "What happens"), make("p", {}, look)));
}

async function change({ kind, setting }, input) {
  const seconds = find("fault-seconds");
  if (!seconds.reportValidity() || input?.reportValidity() === false) return;
  const card = find(`fault-${kind}`);
  const broken = card.classList.contains("broken");
  const body = JSON.stringify({ seconds: seconds.valueAsNumber, ...(input && { [setting.name]: input.valueAsNumber }) });
  const path = `faults/${kind.startsWith("log_") ? "" : "service_b/"}${kind}`;
  const answer = await (broken ? call(path, { method: "DELETE" }) : send("PUT", path, body)).catch(() => undefined);
  if (!answer?.ok) card.querySelector("[role=status]").textContent = `It did not work${answer ? `: ${answer.status}` : ""}`;
  else if (!broken && find("under-load").checked) load(LOAD_PER_SECOND, Math.min(30, seconds.valueAsNumber + 5));
  say("broken");
}

function showFault(card, fault) {
  card.querySelector("button").textContent = fault ? `Mend it, ${Math.round(fault.seconds)} s left` : "Break it";
  if (Boolean(fault) === card.classList.contains("broken")) return;
  card.querySelector("[role=status]").textContent = card.classList.toggle("broken") ? "In force" : "Ended";
}
