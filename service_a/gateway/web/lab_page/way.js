// The drawing that lives. It shows after the fact, and slowly, what the events say.
import { find, make, showNumber, showTime, write } from "./elements.js";
import { on } from "./events.js";

const MAX_DOTS = 40;
const MAX_IN_FRAME = 8; // of a call's inputs, each a dot
const STEP_MS = 500;
const CIRCUITS = {
  closed: "Service B answers again: the circuit is closed.",
  open: "The circuit is open: Service A answers 503 at once, without asking Service B.",
};
let before = { versions: [] }; // the state before this one
let centres = {};

export function startDrawing() {
  on("request", drawRequest);
  on("call", drawCall);
  on("state", showState);
  on("dropped", ({ dropped }) => report(`This page was too slow for ${showNumber(dropped)} events, which it missed.`));
  find("still").checked = matchMedia("(prefers-reduced-motion: reduce)").matches;
}

function drawRequest({ status, outcome, inputs, call }) {
  const good = status < 400;
  const forwarded = call !== null;
  move("", inputs && outcome !== "not logged" ? ["you", "service-a", "input-log"] : ["you", "service-a"], 0);
  if (outcome === "unavailable" && !forwarded) move("bad", ["service-a", "to-b", "service-a"], 2);
  move(good ? "good" : "bad", ["service-a", "you"], forwarded ? 5 : good ? 2 : 4);
}

function drawCall({ inputs, outcome }) {
  move("batch", ["service-a", "service-b"], 2, inputs);
  move(outcome === "predicted" ? "batch" : "batch bad", ["service-b", "service-a"], 4, inputs);
}

/** Move a dot, or a frame with a dot for each input, from place to place, some steps from now. */
function move(look, places, delay, inputs = 0) {
  setTimeout(() => {
    const full = find("dots").childElementCount >= (inputs ? 2 : 1) * MAX_DOTS; // calls have room of their own
    if (full || document.hidden || find("still").checked) return;
    const inside = Array.from({ length: Math.min(inputs, MAX_IN_FRAME) }, () => make("b", {}));
    const dot = make("i", { class: `dot ${look}` }, ...inside, inputs > 1 ? `×${showNumber(inputs)}` : "");
    const jitter = (Math.random() - 0.5) * 14;
    const keyframes = places.map((id) =>
      ({ transform: `translate(${findCentre(id)}) translate(-50%, calc(-50% + ${jitter}px))` }));
    find("dots").append(dot);
    const times = { duration: (places.length - 1) * STEP_MS, easing: "ease-in-out" };
    dot.animate(keyframes, times).onfinish = () => dot.remove();
  }, delay * STEP_MS);
}

/** Measured anew with each state: to measure for each dot would make the browser lay out all again. */
const findCentre = (id) => (centres[id] ??= measure(find(id)));
const measure = ({ offsetLeft, offsetTop, offsetWidth, offsetHeight }) =>
  `${offsetLeft + offsetWidth / 2}px, ${offsetTop + offsetHeight / 2}px`;

function showState({ requests_per_second: rate, p50_ms: p50, p99_ms: p99, waiting, circuit, service_b: b, log }) {
  const versions = b.models.map(({ name, version }) => `${name} ${version ?? "not loaded"}`);
  write("rate", `${showNumber(rate)} request${rate === 1 ? "" : "s"}/s`);
  write("p50", showTime(p50));
  write("p99", showTime(p99));
  write("waiting-log", `${showNumber(waiting.log)} waiting`);
  write("waiting-forward", `${showNumber(waiting.forward)} waiting`);
  write("logged", `${showNumber(Object.values(log).reduce((sum, count) => sum + count, 0))} inputs`);
  write("b-status", b.status);
  write("circuit", `circuit ${circuit.replace("_", "-")}`);
  find("to-b").dataset.circuit = circuit;
  find("service-b").classList.toggle("away", b.status !== "healthy");
  if (String(versions) !== String(before.versions)) showVersions(versions);
  if (before.circuit && before.circuit !== circuit) report(CIRCUITS[circuit] ?? find("news").textContent);
  else if (before.status && before.status !== b.status) report(`Service B is ${b.status}.`);
  before = { circuit, versions, status: b.status };
  centres = {};
}

function showVersions(versions) {
  find("versions").replaceChildren(...versions.map((each) => make("span", {}, each)));
  const swapped = versions.filter((each) => !before.versions.includes(each));
  if (!before.versions.length || !swapped.length) return;
  report(`Service B now serves ${swapped.join(", ")}.`);
  find("versions").animate([{ transform: "translateY(-100%)", opacity: 0 }, {}], find("still").checked ? 0 : 2 * STEP_MS);
}

const report = (text) => write("news", text);
