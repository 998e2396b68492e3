// What came back: the price and how sure it is, where the time went, and what else the answer says.
import { find, make, place, showDollars, showTime } from "./elements.js";
import { say } from "./events.js";

const STAGES = {
  read: "Service A reads it",
  log: "it is written to the log",
  wait: "it waits for its turn",
  predict: "to Service B and back",
  b_check: "Service B checks it",
  b_predict: "Service B predicts",
};
const MEANINGS = {
  "Service B is unavailable": "The input is in the log all the same, so it can be replayed.",
  "Input could not be logged": "What can't be logged isn't forwarded either: no answer without a record.",
};
const HEADERS = ["X-Request-ID", "Retry-After", "Server-Timing", "Content-Type"];
let before; // the prediction of the answer before this one

/** Show an answer; return it in a sentence. */
export function showAnswer(answer, body, ms, salePrice) {
  const { prediction, message, warnings = [] } = body.model_prediction ?? {};
  const priced = typeof prediction?.price === "number";
  const status = `${answer.status} ${answer.statusText}`.trim();
  const headers = HEADERS.map((name) => [name, answer.headers.get(name)]).filter(([, value]) => value);
  find("answer-body").replaceChildren(
    ...(priced ? showPrice(prediction, message, salePrice) : showWords(status, body)),
    ...warnings.map(({ msg }) => make("p", { class: "problem" }, msg)),
    ...showTimes(answer.headers.get("Server-Timing"), ms),
    make("dl", {}, ...[["Status", status], ...headers].flatMap(([name, value]) => [make("dt", {}, name), make("dd", {}, value)])),
    make("details", {}, make("summary", {}, "The answer as JSON"),
      make("pre", { tabindex: 0, role: "region", "aria-label": "The answer as JSON" }, JSON.stringify(body, null, 2))),
  );
  say("answered");
  return `${priced ? showDollars(prediction.price) : `${status}: ${tell(body)}`}, after ${showTime(ms)}.`;
}

function tell(body) {
  return Array.isArray(body.detail) ? "the input is wrong" : body.detail ?? body.status;
}

function showWords(status, body) {
  const problems = Array.isArray(body.detail) ? body.detail : [];
  return [
    make("p", { class: "result" }, problems.length ? status : tell(body)),
    make("p", {}, problems.length ? "What is wrong, as the services say it:" : MEANINGS[body.detail] ?? ""),
    make("ul", {}, ...problems.map(({ loc, msg }) => make("li", {}, make("code", {}, loc.slice(1).join(".")), ` ${msg}`))),
  ];
}

function showPrice(prediction, message, salePrice) {
  const { price, interval, model, model_version: version, typical } = prediction;
  const shown = [make("p", { class: "result" }, showDollars(price)),
    make("p", { class: "quiet" }, `${interval ? "" : message ?? ""} by model ${model}, version ${version}`)];
  if (typical !== undefined) shown.push(make("p", {}, `${Math.round(typical * 100)}% of the houses it was trained on are as unusual.`));
  if (interval) {
    const old = before?.interval && before.model === model ? before : undefined;
    const scale = makeScale([price, interval, old?.interval ?? [], salePrice ?? price].flatMap((each) =>
      (each.lower ? [each.lower, each.upper] : each)));
    const chart = make("div", { class: "interval" }, drawInterval(scale, prediction, `${interval.coverage * 100}% interval`),
      old && drawInterval(scale, old, "the answer before"),
      make("div", { class: "ticks", "aria-hidden": "true" }, ...scale.ticks.map((tick) =>
        place(make("span", {}, `$${tick / 1000}k`), "left", scale.find(tick)))));
    shown.push(chart, salePrice ? offerSalePrice(chart, scale, prediction, salePrice) : "");
  }
  before = prediction;
  return shown;
}

function makeScale(amounts) {
  const [least, most] = [Math.min(...amounts), Math.max(...amounts)];
  const step = 50_000 * Math.ceil((most - least) / 250_000);
  const low = Math.floor(least / step) * step;
  const high = Math.floor(most / step + 1) * step;
  const ticks = Array.from({ length: (high - low) / step + 1 }, (_, index) => low + index * step);
  return { ticks, find: (amount) => (100 * (amount - low)) / (high - low) };
}

function drawInterval(scale, { price, interval: { lower, upper } }, name) {
  const words = `${name}: ${showDollars(lower)} to ${showDollars(upper)}`;
  return make("div", { class: "row" }, make("span", { class: "quiet" }, words),
    make("div", { class: "track", role: "img", "aria-label": `${words}, around ${showDollars(price)}` },
      bar("range", scale.find(lower), scale.find(upper)), place(make("i", { class: "price" }), "left", scale.find(price))));
}

const bar = (look, from, to) => place(place(make("i", { class: look }), "left", from), "width", to - from);

function offerSalePrice(chart, scale, { price, interval }, salePrice) {
  const paragraph = make("p", { tabindex: -1 }, make("button", { type: "button", click: () => {
    const off = Math.round((100 * (price - salePrice)) / salePrice);
    const inside = salePrice >= interval.lower && salePrice <= interval.upper;
    chart.querySelector(".track").append(place(make("i", { class: "sold" }), "left", scale.find(salePrice)));
    paragraph.replaceChildren(make("b", {}, `Sold for ${showDollars(salePrice)}`),
      `, ${inside ? "inside" : "outside"} the interval; the price is ${off ? `${Math.abs(off)}% too ${off > 0 ? "high" : "low"}` : "right to 1%"}. `,
      make("span", { class: "quiet" }, "The model was trained on all 2,930 sales, this one too. With a new house it is less exact."));
    paragraph.focus(); // the button, which had it, is gone
    say("revealed");
  } }, "Reveal what it was sold for"));
  return paragraph;
}

/** Draw the stages one after the other, to scale. */
function showTimes(header, ms) {
  if (!header) return [];
  const times = Object.fromEntries(Array.from(header.matchAll(/(\w+);dur=([\d.]+)/g), ([, name, time]) => [name, Number(time)]));
  if (times.b_predict) times.predict -= times.b_check + times.b_predict; // Service B's are part of it
  const stages = Object.entries(STAGES).filter(([name]) => name in times).map(([name, words]) => [words, times[name]]);
  const rest = times.total - stages.reduce((sum, [, each]) => sum + each, 0);
  stages.push(["the rest in Service A", Math.max(0, rest)], ["browser and network", Math.max(0, ms - times.total)]);
  let from = 0;
  const rows = stages.map(([words, each]) => make("li", {}, make("span", {}, words), make("span", { class: "track", "aria-hidden": "true" },
    bar("stage", (100 * from) / ms, (100 * (from += each)) / ms)), make("span", { class: "number" }, showTime(each))));
  return [make("h3", {}, `Where ${showTime(ms)} went`), make("ol", { class: "times" }, ...rows)];
}
