// Requests at a steady rate, and what became of them over time.
import { draw, find, make, place, showNumber, showTime } from "./elements.js";
import { say } from "./events.js";
import { composeAny } from "./send.js";
import { send } from "./service.js";

const TICK_MS = 25;
const BIN_MS = 500;
const KINDS = { good: "2xx", wrong: "4xx", bad: "5xx", lost: "no answer" };
// The scale of times is logarithmic: 1 ms at the bottom, 10 s at the top.
const DECADES = [1, 10, 100, 1000, 10_000];
let stop;

export function startLoading() {
  find("load-form").addEventListener("submit", (event) => {
    event.preventDefault();
    if (stop) stop();
    else load(find("per-second").valueAsNumber, find("seconds").valueAsNumber);
  });
}

export async function load(perSecond, seconds) {
  if (stop) return;
  const run = { answers: [], seconds, sent: 0 };
  const started = performance.now();
  const button = find("load-button");
  button.textContent = "Stop the load";
  find("load-result").textContent = "";
  await new Promise((resolve) => {
    let shown = started;
    const timer = setInterval(() => {
      const now = performance.now() - started;
      for (; run.sent < Math.min(now / 1000, seconds) * perSecond; run.sent += 1) sendOne(run, started, (1000 * run.sent) / perSecond);
      if (performance.now() - shown > BIN_MS) {
        shown = performance.now();
        showChart(run);
      }
      if (run.sent >= seconds * perSecond && run.answers.length === run.sent) stop();
    }, TICK_MS);
    stop = () => {
      clearInterval(timer);
      resolve();
    };
  });
  stop = undefined;
  button.textContent = "Start the load";
  showChart(run);
  const times = run.answers.map(({ ms }) => ms).sort((one, other) => one - other);
  find("load-result").textContent = `${showNumber(run.sent)} sent: ${describe(run)}. Half answered within ${showTime(find50(times))}, 99% within ${showTime(find99(times))}.`;
  say("loaded");
}

const at = (share) => (sorted) => sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))];
const find50 = at(0.5);
const find99 = at(0.99);

async function sendOne(run, started, due) {
  let kind = "lost";
  try {
    const answer = await send(composeAny());
    await answer.text();
    kind = answer.ok ? "good" : answer.status < 500 ? "wrong" : "bad";
  } catch {
    // Service A is away.
  }
  const now = performance.now() - started;
  run.answers.push({ kind, at: now, ms: now - due });
}

function describe({ answers }) {
  const counts = Object.entries(KINDS).map(([kind, words]) => [words, answers.filter((each) => each.kind === kind).length]);
  return counts.filter(([, count]) => count).map(([words, count]) => `${showNumber(count)} × ${words}`).join(", ") || "no answers";
}

function showChart(run) {
  const last = Math.max(run.seconds * 1000, ...run.answers.map((each) => each.at));
  const bins = Array.from({ length: Math.ceil((last + 1) / BIN_MS) }, () => []);
  for (const answer of run.answers) bins[Math.floor(answer.at / BIN_MS)].push(answer);
  const most = Math.max(1, ...bins.map((bin) => bin.length));
  const x = (index) => (100 * index) / bins.length;
  const y = (ms) => 100 - 25 * Math.log10(Math.min(10_000, Math.max(1, ms)));
  const line = (look, pick) => draw("polyline", { class: look, points: bins.map((bin, index) => {
    const times = bin.map(({ ms }) => ms).sort((one, other) => one - other);
    return times.length ? `${x(index + 0.5)},${y(pick(times))}` : "";
  }).join(" ").trim() });
  const bars = bins.flatMap((bin, index) => {
    let top = 100;
    return Object.keys(KINDS).map((kind) => {
      const height = (100 * bin.filter((each) => each.kind === kind).length) / most;
      top -= height;
      return draw("rect", { class: kind, x: x(index) + 0.1, y: top, width: x(1) - 0.2, height });
    });
  });
  const chart = (label, ...parts) => draw("svg", { viewBox: "0 0 100 100", preserveAspectRatio: "none", role: "img", "aria-label": label }, ...parts);
  find("chart").hidden = false;
  find("chart").replaceChildren(
    make("p", {}, "time until the answer ", make("span", { class: "key p50" }, "half of them"), make("span", { class: "key p99" }, "99%")),
    make("div", { class: "times-chart" }, ...DECADES.map((ms) => {
      const label = make("span", { class: "decade" }, showTime(ms).replace(".0", ""));
      label.style.setProperty("top", `${y(ms)}%`);
      return label;
    }), chart("Times over the run; the text below sums them up", ...DECADES.map((ms) => draw("line", { class: "grid", x1: 0, x2: 100, y1: y(ms), y2: y(ms) })),
      line("p99", find99), line("p50", find50))),
    make("p", {}, `answers per ${BIN_MS / 1000} s, at most ${most} `, ...Object.entries(KINDS).map(([kind, words]) => make("span", { class: `key ${kind}` }, words))),
    make("div", { class: "bars" }, chart(`Answers by status: ${describe(run)}`, ...bars)),
    make("div", { class: "ticks", "aria-hidden": "true" }, ...[0, 0.5, 1].map((share) => place(make("span", {}, `${((share * bins.length * BIN_MS) / 1000).toFixed(1)} s`), share * 100))),
  );
}
