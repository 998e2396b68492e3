// Requests at a steady rate, and what became of them over time.
import { makeKey, makePlot, makeSteps, makeTimes } from "./chart.js";
import { find, make, showNumber, showTime } from "./elements.js";
import { say } from "./events.js";
import { composeAny } from "./send.js";
import { send } from "./service.js";

const TICK_MS = 25;
const BIN_MS = 500;
const KINDS = { solid: "2xx", dotted: "4xx", bad: "5xx", dashed: "no answer" }; // by the look of their line
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
  const answer = await send("POST", "process", composeAny(), { signal: run.controller.signal, priority: "low" }).catch(() => undefined);
  await answer?.text().catch(() => undefined);
  const kind = !answer ? "dashed" : answer.ok ? "solid" : answer.status < 500 ? "dotted" : "bad";
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
  const findHeight = (ms) => 25 * Math.log10(Math.min(10_000, Math.max(1, ms)));
  const drawTimes = (look, share) => makeSteps(look, bins.map((bin) => (bin.length ? findHeight(pick(bin, share)) : undefined)));
  const drawCounts = (kind) => makeSteps(kind, bins.map((bin) => (100 * only(bin, kind)) / most));
  const seen = Object.keys(KINDS).filter((kind) => only(answers, kind));
  const lasted = (bins.length * BIN_MS) / 1000;
  find("chart").hidden = false;
  find("chart").replaceChildren(
    make("p", {}, "time until the answer", makeKey("solid", "half of them"), makeKey("dashed", "99%")),
    makePlot("Times over the run, summed up below", DECADES.map((ms) => [showTime(ms).replace(".0", ""), findHeight(ms)]),
      drawTimes("dashed", 0.99), drawTimes("solid", 0.5)),
    make("p", {}, "answers over time", ...seen.map((kind) => makeKey(kind, KINDS[kind]))),
    makePlot(`Answers by status: ${count(answers)}`, [[0, 0], [`${showNumber((most / BIN_MS) * 1000)}/s`, 100]], ...seen.map(drawCounts)),
    makeTimes("0 s", `${lasted / 2} s`, `${lasted} s`),
  );
}
