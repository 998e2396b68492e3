// Requests at a steady rate, and what became of them over time.
import { draw, find, make, place, showNumber, showTime } from "./elements.js";
import { say } from "./events.js";
import { composeAny } from "./send.js";
import { send } from "./service.js";

const TICK_MS = 25;
const BIN_MS = 500;
const KINDS = { good: "2xx", wrong: "4xx", bad: "5xx", lost: "no answer" };
const DECADES = [1, 10, 100, 1000, 10_000]; // the scale of times is logarithmic
let stop;

export function startLoading() {
  find("load-form").addEventListener("submit", (event) => {
    event.preventDefault();
    if (stop) stop();
    else load(find("per-second").valueAsNumber, find("seconds").valueAsNumber);
  });
}

/** Send for some seconds and wait for the answers; a load that runs already goes on instead. */
export async function load(perSecond, seconds) {
  if (stop) return;
  const run = { answers: [], seconds, sent: 0, started: performance.now(), controller: new AbortController() };
  find("load-button").textContent = "Stop the load";
  find("load-result").textContent = "";
  await new Promise((resolve) => {
    let shown = 0;
    const timer = setInterval(() => {
      const now = performance.now() - run.started;
      for (; run.sent < Math.min(now / 1000, seconds) * perSecond; run.sent += 1) sendOne(run, (1000 * run.sent) / perSecond);
      if (now - shown > BIN_MS) showChart(run, (shown = now));
      if (now > seconds * 1000 && run.answers.length === run.sent) stop();
    }, TICK_MS);
    stop = () => resolve(clearInterval(timer), run.controller.abort());
  });
  stop = undefined;
  find("load-button").textContent = "Start the load";
  showChart(run, performance.now() - run.started);
  find("load-result").textContent = `${showNumber(run.sent)} sent: ${count(run.answers)}. `
    + `Half answered within ${showTime(pick(run.answers, 0.5))}, 99% within ${showTime(pick(run.answers, 0.99))}.`;
  say("loaded");
}

async function sendOne(run, due) {
  let kind = "lost";
  try {
    const answer = await send(composeAny(), { signal: run.controller.signal, priority: "low" });
    await answer.text();
    kind = answer.ok ? "good" : answer.status < 500 ? "wrong" : "bad";
  } catch {
    // Service A is away.
  }
  const at = performance.now() - run.started;
  run.answers.push({ kind, at, ms: at - due });
}

const pick = (answers, share) => answers.map(({ ms }) => ms).sort((one, other) => one - other)[Math.floor(answers.length * share)];
const only = (answers, kind) => answers.filter((each) => each.kind === kind).length;
const count = (answers) => Object.keys(KINDS).filter((kind) => only(answers, kind))
  .map((kind) => `${showNumber(only(answers, kind))} × ${KINDS[kind]}`).join(", ") || "no answers";

function showChart({ answers, seconds }, now) {
  const bins = Array.from({ length: Math.ceil(Math.max(seconds * 1000, now) / BIN_MS) + 1 }, () => []);
  for (const answer of answers) bins[Math.floor(answer.at / BIN_MS)].push(answer);
  if (!bins.at(-1).length) bins.pop();
  const most = Math.max(1, ...bins.map((bin) => bin.length));
  const width = 100 / bins.length;
  const y = (ms) => 100 - 25 * Math.log10(Math.min(10_000, Math.max(1, ms)));
  const line = (look, share) => draw("polyline", { class: look, points: bins.map((bin, index) =>
    (bin.length ? `${width * (index + 0.5)},${y(pick(bin, share))} ` : "")).join("") });
  const bars = bins.flatMap((bin, index) => {
    let top = 100;
    return Object.keys(KINDS).map((kind) => {
      const height = (100 * only(bin, kind)) / most;
      top -= height;
      return draw("rect", { class: kind, x: width * index + 0.1, y: top, width: width - 0.2, height });
    });
  });
  const chart = (label, ...parts) => draw("svg", { viewBox: "0 0 100 100", preserveAspectRatio: "none", role: "img", "aria-label": label }, ...parts);
  const key = (look, words) => make("span", { class: `key ${look}` }, words);
  find("chart").hidden = false;
  find("chart").replaceChildren(
    make("p", {}, "time until the answer", key("p50", "half of them"), key("p99", "99%")),
    make("div", { class: "plot" },
      ...DECADES.map((ms) => place(make("span", {}, showTime(ms).replace(".0", "")), "top", y(ms))),
      chart("Times over the run, summed up below", ...DECADES.map((ms) => draw("line", { x2: 100, y1: y(ms), y2: y(ms) })), line("p99", 0.99), line("p50", 0.5))),
    make("p", {}, "answers over time", ...Object.entries(KINDS).map(([kind, words]) => key(kind, words))),
    make("div", { class: "plot" }, place(make("span", {}, showNumber(most / BIN_MS * 1000), "/s"), "top", 8), chart(`Answers by status: ${count(answers)}`, ...bars)),
    make("div", { class: "ticks", "aria-hidden": "true" }, ...[0, 50, 100].map((at) => place(make("span", {}, `${at / 100 * bins.length * BIN_MS / 1000} s`), "left", at))),
  );
}
