// What came back: the price and how sure it is, where the time went, and what else the answer says.
import { makeTimes } from "./chart.js";
import { find, make, place, showDollars, showTime } from "./elements.js";
import { say } from "./events.js";
import { send } from "./service.js";

const STAGES = {
  read: "Service A reads it",
  log: "it is written to the log",
  wait: "it waits for its turn",
  predict: "to Service B and back",
  b_check: "Service B checks it",
  b_predict: "Service B predicts",
};
const HEADERS = ["X-Request-ID", "Retry-After", "Server-Timing", "Content-Type"];
let before; // the prediction of the answer before this one

/** Show an answer; return it in a sentence. */
export function showAnswer(answer, body, ms, salePrice) {
  const { prediction, message, warnings = [] } = body.model_prediction ?? {};
  const status = `${answer.status} ${answer.statusText}`.trim();
  const facts = [["Status", status], ...HEADERS.map((name) => [name, answer.headers.get(name)])].filter(([, value]) => value);
  const priced = typeof prediction?.price === "number";
  const result = priced ? showDollars(prediction.price) : Array.isArray(body.detail) ? status : body.detail ?? body.status;
  find("answer-body").replaceChildren(
    make("p", { class: "result" }, result),
    ...(priced ? showPrediction(prediction, message, answer.headers.get("X-Request-ID"), salePrice) : showWords(body)),
    ...warnings.map(({ msg }) => make("p", { class: "problem" }, msg)),
    ...showTimes(answer.headers.get("Server-Timing"), ms),
    make("dl", {}, ...facts.flatMap(([name, value]) => [make("dt", {}, name), make("dd", {}, value)])),
    make("details", {}, make("summary", {}, "The answer as JSON"),
      make("pre", { tabindex: 0, role: "region", "aria-label": "The answer as JSON" }, JSON.stringify(body, null, 2))),
  );
  say("answered");
  return `${result}, after ${showTime(ms)}.`;
}

function showWords({ detail }) {
  if (!Array.isArray(detail)) return [detail === "Service B is unavailable" ? "The input is in the log all the same: replay it." : ""];
  const problems = detail.map(({ loc, msg }) => make("li", {}, make("code", {}, loc.slice(1).join(".")), ` ${msg}`));
  return [make("p", {}, "What is wrong, as the services say it:"), make("ul", {}, ...problems)];
}

function showPrediction(prediction, message, requestId, salePrice) {
  const { interval, model, model_version: version, typical } = prediction;
  const old = before?.interval && before.model === model ? before : undefined;
  before = prediction;
  const chart = make("div", { class: "interval" });
  const drawChart = (sold) => interval && chart.replaceChildren(...drawIntervals(prediction, old, sold));
  drawChart();
  const unusual = typical === undefined ? "" : `; ${Math.round(typical * 100)}% of the houses it was trained on are as unusual`;
  return [make("p", { class: "quiet" }, `${interval ? "" : message ?? ""} by model ${model}, version ${version}${unusual}`),
    chart, askForSalePrice(prediction, requestId, salePrice, drawChart)];
}

/** Draw the interval to scale, below it that of the answer before, and in it what was paid. */
function drawIntervals(prediction, old, sold) {
  const ends = [prediction, old ?? prediction].flatMap(({ interval: { lower, upper } }) => [lower, upper]);
  const amounts = [...ends, prediction.price, sold ?? prediction.price];
  const step = 50_000 * Math.ceil((Math.max(...amounts) - Math.min(...amounts)) / 250_000);
  const low = Math.floor(Math.min(...amounts) / step);
  const steps = Math.floor(Math.max(...amounts) / step) + 1 - low;
  const locate = (amount) => (100 * (amount / step - low)) / steps;
  return [
    drawInterval(locate, prediction, `${prediction.interval.coverage * 100}% interval`, sold),
    old ? drawInterval(locate, old, "the answer before") : "",
    makeTimes(...Array.from({ length: steps + 1 }, (_, index) => `$${((low + index) * step) / 1000}k`)),
  ];
}

function drawInterval(locate, { price, interval: { lower, upper } }, name, sold) {
  const words = `${name}: ${showDollars(lower)} to ${showDollars(upper)}`;
  return make("div", { class: "row" }, make("span", { class: "quiet" }, words),
    make("div", { class: "track", role: "img", "aria-label": `${words}, around ${showDollars(price)}` },
      bar("range", locate(lower), locate(upper)), place(make("i", { class: "price" }), "left", locate(price)),
      sold && place(make("i", { class: "sold" }), "left", locate(sold))));
}

const bar = (look, from, to) => place(place(make("i", { class: look }), "left", from), "width", to - from);

/** A real house has its sale price; of another the visitor may say it. Either way it is reported. */
function askForSalePrice(prediction, requestId, salePrice, drawChart) {
  const amount = make("input", { type: "number", min: 1, step: "any", required: true });
  const form = make("form", { id: "sold", class: "actions", tabindex: -1, submit: async (event) => {
    event.preventDefault();
    const price = salePrice ?? amount.valueAsNumber;
    const actuals = JSON.stringify({ actuals: [{ request_id: requestId, price }] });
    const answer = await send("POST", "actuals", actuals).catch(() => undefined);
    drawChart(price);
    form.replaceChildren(make("p", {}, make("b", {}, `Sold for ${showDollars(price)}`), judge(prediction, price),
      ...(answer?.ok ? [" It counts in ", make("a", { href: "#quality" }, "Quality"), "."] : [" It could not be reported."]),
      salePrice ? " The model was trained on this sale too; with a new house it is less exact." : ""));
    form.focus(); // the button, which had it, is gone
    say("revealed");
  } }, ...(salePrice ? [] : [make("label", {}, "It sold for $ ", amount)]),
  make("button", { id: salePrice && "reveal" }, salePrice ? "Reveal what it was sold for" : "Report it"));
  return form;
}

function judge({ price, interval }, sold) {
  const off = Math.round((100 * (price - sold)) / sold);
  const inside = sold >= interval?.lower && sold <= interval?.upper ? "inside" : "outside";
  return `, ${interval ? `${inside} the interval; ` : ""}the price is ${off ? `${Math.abs(off)}% too ${off > 0 ? "high" : "low"}` : "right to 1%"}.`;
}

function showTimes(header, ms) {
  if (!header) return [];
  const times = Object.fromEntries(Array.from(header.matchAll(/(\w+);dur=([\d.]+)/g), ([, name, time]) => [name, Number(time)]));
  if (times.b_predict) times.predict -= times.b_check + times.b_predict; // Service B's are part of it
  const stages = Object.entries(STAGES).filter(([name]) => name in times).map(([name, words]) => [words, times[name]]);
  const rest = times.total - stages.reduce((sum, [, each]) => sum + each, 0);
  stages.push(["the rest in Service A", Math.max(0, rest)], ["browser and network", Math.max(0, ms - times.total)]);
  let from = 0;
  const rows = stages.map(([words, each]) => make("li", {}, make("span", {}, words), make("span", { class: "track", "aria-hidden": "true" },
    bar("", (100 * from) / ms, (100 * (from += each)) / ms)), make("span", { class: "number" }, showTime(each))));
  return [make("h3", {}, `Where ${showTime(ms)} went`), make("ol", { class: "times" }, ...rows)];
}
