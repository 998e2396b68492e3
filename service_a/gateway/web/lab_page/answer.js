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
export function showAnswer(answer, text, ms, salePrice) {
  const body = read(text);
  const { prediction, message, warnings = [] } = body?.model_prediction ?? {};
  const status = `${answer.status} ${answer.statusText}`.trim();
  find("answer-body").replaceChildren(
    ...(prediction?.price ? showPrice(prediction, message, warnings, salePrice) : showWords(status, body)),
    ...showTimes(answer.headers.get("Server-Timing"), ms),
    make("dl", {}, make("dt", {}, "Status"), make("dd", {}, status), ...HEADERS.flatMap((name) => {
      const value = answer.headers.get(name);
      return value ? [make("dt", {}, name), make("dd", {}, value)] : [];
    })),
    make("details", {}, make("summary", {}, "The answer as JSON"),
      make("pre", { tabindex: 0, "aria-label": "The answer as JSON" }, body ? JSON.stringify(body, null, 2) : text)),
  );
  say("answered", { status: answer.status, prediction });
  const result = prediction?.price ? showDollars(prediction.price) : `${status}: ${tell(body)}`;
  return `${result}, after ${showTime(ms)}.`;
}

function read(text) {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

function tell(body) {
  if (Array.isArray(body?.detail)) return "the input is wrong; each problem stands at its field";
  return body?.detail ?? body?.status ?? "a prediction";
}

function showWords(status, body) {
  const problems = Array.isArray(body?.detail) ? body.detail : [];
  return [
    make("p", { class: "result" }, problems.length ? `${status}` : tell(body)),
    make("p", {}, MEANINGS[body?.detail] ?? (problems.length ? "Service A passes on what Service B found wrong:" : "")),
    make("ul", {}, ...problems.map(({ loc, msg }) => make("li", {}, make("code", {}, loc.slice(2).join(".")), ` ${msg}`))),
  ];
}

function showPrice(prediction, message, warnings, salePrice) {
  const { price, interval, model, model_version: version, typical } = prediction;
  const scale = makeScale([price, salePrice, ...ends(prediction), ...ends(before)]);
  const shown = [
    make("p", { class: "result" }, showDollars(price)),
    make("p", { class: "quiet" }, interval ? "" : message ?? "", ` by model ${model}, version ${version}`),
    ...warnings.map(({ msg }) => make("p", { class: "warning" }, msg)),
    typical === undefined ? "" : make("p", {}, `${(typical * 100).toFixed(0)}% of the houses it was trained on are as unusual.`),
  ];
  if (interval) {
    const rows = make("div", { class: "interval" }, drawInterval(scale, prediction, `${interval.coverage * 100}% interval`));
    if (before?.interval) rows.append(drawInterval(scale, before, "the answer before"));
    rows.append(make("div", { class: "ticks", "aria-hidden": "true" }, ...scale.ticks.map((tick) =>
      place(make("span", {}, `$${Math.round(tick / 1000)}k`), scale.find(tick)))));
    shown.push(rows);
    if (salePrice) shown.push(offerSalePrice(rows, scale, prediction, salePrice));
  }
  before = prediction;
  return shown;
}

const ends = (prediction) => (prediction?.interval ? [prediction.interval.lower, prediction.interval.upper] : []);

function makeScale(amounts) {
  const known = amounts.filter((amount) => amount !== undefined);
  const step = 50_000 * Math.ceil((Math.max(...known) - Math.min(...known)) / 250_000);
  const low = Math.floor(Math.min(...known) / step) * step;
  const high = Math.ceil(Math.max(...known) / step) * step;
  const ticks = Array.from({ length: (high - low) / step + 1 }, (_, index) => low + index * step);
  return { ticks, find: (amount) => (100 * (amount - low)) / (high - low) };
}

function drawInterval(scale, { price, interval }, name) {
  const words = `${showDollars(interval.lower)} to ${showDollars(interval.upper)}`;
  return make("div", { class: "row" }, make("span", { class: "name" }, `${name}: ${words}`),
    make("div", { class: "track", role: "img", "aria-label": `${name}: ${words}, around ${showDollars(price)}` },
      place(make("i", { class: "range" }), scale.find(interval.lower), scale.find(interval.upper)),
      place(make("i", { class: "price" }), scale.find(price))));
}

function offerSalePrice(rows, scale, { price, interval }, salePrice) {
  const paragraph = make("p", { role: "status" }, make("button", { type: "button", click: () => {
    const off = Math.round((100 * (price - salePrice)) / salePrice);
    const inside = salePrice >= interval.lower && salePrice <= interval.upper;
    rows.querySelector(".track").append(place(make("i", { class: "sold" }), scale.find(salePrice)));
    paragraph.replaceChildren(make("b", {}, `Sold for ${showDollars(salePrice)}`),
      `, ${inside ? "inside" : "outside"} the interval; the price was ${off === 0 ? "right to 1%" : `${Math.abs(off)}% too ${off > 0 ? "high" : "low"}`}. `,
      make("span", { class: "quiet" }, "The model was trained on all 2,930 sales, this one too, so with a new house expect more."));
    say("revealed");
  } }, "Reveal what it was sold for"));
  return paragraph;
}

/** Draw the stages one after the other, to scale. */
function showTimes(header, ms) {
  if (!header) return [];
  const times = Object.fromEntries(header.split(",").map((part) => part.trim().split(";dur=")).map(([name, time]) => [name, Number(time)]));
  if (times.b_predict) times.predict -= times.b_check + times.b_predict; // Service B's are part of it
  const stages = Object.entries(STAGES).filter(([name]) => name in times).map(([name, words]) => [words, times[name]]);
  const { total = 0 } = times;
  const rest = total - stages.reduce((sum, [, each]) => sum + each, 0);
  stages.push(["everything else in Service A", Math.max(0, rest)], ["browser and network", Math.max(0, ms - total)]);
  let from = 0;
  const rows = stages.map(([words, each]) => {
    const start = from;
    from += each;
    return make("li", {}, make("span", {}, words), make("span", { class: "track", "aria-hidden": "true" },
      place(make("i", {}), (100 * start) / ms, (100 * from) / ms)), make("span", { class: "number" }, showTime(each)));
  });
  return [make("h3", {}, `Where ${showTime(ms)} went`), make("ol", { class: "times" }, ...rows)];
}
