// The newest inputs, read from the log itself whenever something has happened.
import { find, make, showDollars, showNumber, showTime } from "./elements.js";
import { on } from "./events.js";
import { call } from "./service.js";

let wanted = ""; // the outcome to show; all if empty
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
  const total = Object.values(counts).reduce((sum, count) => sum + count, 0);
  for (const [outcome, count] of [["", total], ...Object.entries(counts)]) {
    const id = `outcome-${outcome || "all"}`;
    const button = find(id) ?? make("button", { id, type: "button", click: () => choose(outcome) });
    if (!button.isConnected) find("outcomes").append(button);
    button.setAttribute("aria-pressed", String(outcome === wanted));
    button.textContent = `${outcome || "all"} ${showNumber(count)}`;
  }
}

function choose(outcome) {
  wanted = outcome;
  showOutcomes();
  read();
}

async function read() {
  if (reading || document.hidden) { stale = true; return; }
  [reading, stale] = [true, false];
  try {
    const answer = await call(`inputs?limit=50${wanted && `&outcome=${wanted}`}`);
    if (answer.ok) show((await answer.json()).inputs);
  } catch {
    stale = true; // Service A is away
  } finally {
    reading = false;
  }
}

function show(inputs) {
  find("no-inputs").hidden = inputs.length > 0;
  const focused = document.activeElement?.dataset.number;
  find("inputs").replaceChildren(...inputs.map((input) => make("tr", { class: input.outcome },
    make("td", {}, new Date(input.received_at).toLocaleTimeString("en-GB")),
    make("td", {}, make("button", { type: "button", class: "open", "data-number": input.number, click: () => openRecord(input) }, input.request_id)),
    make("td", { class: "outcome" }, input.outcome),
    make("td", { class: "number" }, input.price === null ? "–" : showDollars(input.price)))));
  if (focused) find("inputs").querySelector(`[data-number="${focused}"]`)?.focus();
}

async function openRecord(input) {
  const answer = await call(`inputs/${encodeURIComponent(input.request_id)}`).catch(() => undefined);
  const newest = answer?.ok ? await answer.json() : input;
  const record = newest.number === input.number ? newest : input; // a batch has one id for all its inputs
  find("record-title").textContent = `Input ${record.number}`;
  find("record-facts").textContent = `${record.outcome}${record.duration_ms === null ? "" : `, forwarded in ${showTime(record.duration_ms)}`}`
    + `${record.earlier_attempts?.length ? `, after ${record.earlier_attempts.length} earlier attempt${record.earlier_attempts.length > 1 ? "s" : ""}` : ""}.`;
  find("record-json").textContent = JSON.stringify(record, null, 2);
  find("record").showModal();
}

async function replay() {
  find("replayed").textContent = "Forwarding again…";
  try {
    const answer = await call("inputs/replay", { method: "POST" });
    const { detail, ...outcomes } = await answer.json();
    find("replayed").textContent = detail || (Object.entries(outcomes).filter(([, count]) => count)
      .map(([outcome, count]) => `${showNumber(count)} ${outcome}`).join(", ")) || "Nothing was forwarded: the circuit is open";
  } catch {
    find("replayed").textContent = "Service A can't be reached.";
  }
  stale = true;
}
