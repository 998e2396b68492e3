// How good each version's predictions were, as far as actual prices have come in.
import { makeKey, makePlot, makeSteps, makeTimes } from "./chart.js";
import { find, make, showNumber } from "./elements.js";
import { on } from "./events.js";
import { get } from "./service.js";

const STEP_MS = { minute: 60_000, hour: 3_600_000, day: 86_400_000 };
const STEPS = 12;
const PAUSE_MS = 3000; // each step is a call
const LOOKS = ["solid", "dashed", "dotted"];
let stale;
let readAt = -PAUSE_MS;

export function startJudging() {
  on("connected", () => { stale = true; });
  on("request", ({ route }) => { stale ||= route === "/actuals"; });
  on("state", () => stale && performance.now() > readAt + PAUSE_MS && read());
  find("step").addEventListener("change", read);
}

async function read() {
  [stale, readAt] = [false, performance.now()];
  const step = STEP_MS[find("step").value];
  const end = Math.ceil(Date.now() / step) * step;
  const starts = Array.from({ length: STEPS }, (_, index) => end - (STEPS - index) * step);
  try {
    const versions = await ask(starts[0], end);
    const steps = versions.length ? await Promise.all(starts.map((start) => ask(start, start + step))) : [];
    show(versions, steps, starts);
  } catch {
    stale = true; // Service A is away
  }
}

async function ask(from, before) {
  const [start, end] = [from, before].map((ms) => new Date(ms).toISOString());
  return (await get(`quality?from=${start}&before=${end}`)).versions.filter((each) => each.with_actual);
}

function show(versions, steps, starts) {
  const findOne = ({ model, model_version: version }, found) =>
    found.find((each) => each.model === model && each.model_version === version);
  const plot = (label, measure) => {
    const lines = versions.map((version) => steps.map((found) => measure(findOne(version, found))));
    const most = Math.ceil(10 * Math.max(0.1, ...lines.flat().filter(Boolean))) / 10;
    const height = (share) => (share === undefined ? share : (100 * share) / most);
    return makePlot(label, [0, most / 2, most].map((share) => [showShare(share), height(share)]),
      ...lines.map((shares, index) => makeSteps(LOOKS[index % LOOKS.length], shares.map(height))));
  };
  find("no-actuals").hidden = versions.length > 0;
  find("quality-chart").hidden = !versions.length;
  find("quality-chart").replaceChildren(
    ...versions.map((version, index) => make("p", {}, makeKey(LOOKS[index % LOOKS.length], describe(version)))),
    make("p", {}, "half of the errors are under"), plot("Median error over time", (version) => version?.median_ape),
    make("p", {}, "prices inside the interval"), plot("Coverage over time", (version) => version?.coverage?.value),
    makeTimes(...[0, STEPS / 2].map((index) => showWhen(starts[index])), "now"));
}

function describe({ model, model_version: version, with_actual: sold, median_ape: error, coverage, promised }) {
  const inside = coverage ? `; ${showShare(coverage.value)} inside the interval (${showShare(coverage.lower)} to ${showShare(coverage.upper)})` : "";
  const card = promised?.median_ape ? `. The card promises ${showShare(promised.median_ape)}, ${showShare(promised.coverage ?? 0)}` : "";
  return `${model ?? "default"} ${version}, ${showNumber(sold)} actual prices: median error ${showShare(error)}${inside}${card}.`;
}

const showShare = (share) => `${(100 * share).toFixed(share < 0.1 ? 1 : 0)}%`;
const showWhen = (start) => new Date(start).toLocaleString("en-GB", find("step").value === "day"
  ? { day: "numeric", month: "short" } : { hour: "2-digit", minute: "2-digit" });
