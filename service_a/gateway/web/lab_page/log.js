// The newest inputs, read from the log itself whenever something has happened.
import { find, make, showDollars, showNumber } from "./elements.js";
import { on } from "./events.js";
import { get, send } from "./service.js";

let wanted = "all"; // the outcome to show
let counts = {};
let stale = true;
let reading = false;

export function startReading() {
  for (const kind of ["request", "connected"]) on(kind, () => { stale = true; });
  on("state", ({ log }) => {
    counts = log;
    showOutcomes();
    if (stale) read();
  });
  find("replay").addEventListener("click", replay);
}

function showOutcomes() {
  find("replay").hidden = !counts.unavailable;
  const all = Object.values(counts).reduce((sum, count) => sum + count, 0);
  for (const [outcome, count] of Object.entries({ all, ...counts })) {
    const id = `outcome-${outcome}`;
    const button = find(id) ?? make("button", { id, click: () => choose(outcome) });
    if (!button.isConnected) find("outcomes").append(button);
    button.setAttribute("aria-pressed", String(outcome === wanted));
    button.textContent = `${outcome} ${showNumber(count)}`;
  }
}

function choose(outcome) {
  wanted = outcome;
  showOutcomes();
  read();
}

async function read() {
  stale = reading || document.hidden;
  if (stale) return;
  reading = true;
  try {
    show((await get(`inputs?limit=50&data=false${wanted === "all" ? "" : `&outcome=${wanted}`}`)).inputs);
  } catch {
    stale = true; // Service A is away, or its log
  } finally {
    reading = false;
  }
}

function show(inputs) {
  const focused = document.activeElement?.dataset.number;
  find("inputs").replaceChildren(...inputs.map((input) => make("tr", { class: input.outcome },
    make("td", {}, new Date(input.received_at).toLocaleTimeString("en-GB")),
    make("td", {}, make("button", { class: "open", "data-number": input.number, click: () => open(input) }, input.request_id)),
    make("td", { class: "outcome" }, input.outcome),
    make("td", { class: "number" }, input.price === null ? "–" : showDollars(input.price)))));
  if (focused) find("inputs").querySelector(`[data-number="${focused}"]`)?.focus();
}

async function open(input) {
  const record = await readRecord(input).catch(() => input);
  find("record-title").textContent = `Input ${record.number}: ${record.outcome}`;
  find("record-json").textContent = JSON.stringify(record, null, 2);
  find("record").showModal();
}

async function readRecord({ number, request_id: id }) {
  const newest = await get(`inputs/${id}`);
  if (newest.number === number) return newest;
  const { inputs } = await get(`inputs?limit=1000&request_id=${id}`); // a batch has one id for all
  return inputs.find((each) => each.number === number);
}

async function replay() {
  find("replayed").textContent = "Forwarding again…";
  const answer = await send("POST", "inputs/replay").catch(() => undefined);
  const { detail, ...outcomes } = (await answer?.json()) ?? { detail: "Service A can't be reached." };
  const counts = Object.entries(outcomes).filter(([, count]) => count).map(([outcome, count]) => `${showNumber(count)} ${outcome}`);
  find("replayed").textContent = detail ?? (counts.join(", ") || "Nothing was forwarded: the circuit is open");
  stale = true;
}
