// Plots over time: steps of equal length from left to right, heights in percent.
import { draw, make, place } from "./elements.js";

/** A plot with lines across at its ticks, each a text and its height. */
export const makePlot = (label, ticks, ...lines) => make("div", { class: "plot" },
  ...ticks.map(([text, height]) => place(make("span", {}, text), "bottom", height)),
  draw("svg", { viewBox: "0 0 100 100", preserveAspectRatio: "none", role: "img", "aria-label": label },
    ...ticks.map(([, height]) => draw("line", { x2: 100, y1: 100 - height, y2: 100 - height })), ...lines));

/** A line of steps, with a gap where a height is undefined. */
export function makeSteps(look, heights) {
  const steps = heights.map((height, index) => (height === undefined ? "" : `${heights[index - 1] === undefined ? "M" : "L"}`
    + `${(100 * index) / heights.length},${100 - height} H${(100 * (index + 1)) / heights.length}`));
  return draw("path", { class: look, d: steps.join(" ") });
}

export const makeTimes = (...words) => make("div", { class: "ticks", "aria-hidden": "true" },
  ...words.map((each, index) => place(make("span", {}, each), "left", (100 * index) / (words.length - 1))));

export const makeKey = (look, words) => make("span", { class: "key" },
  draw("svg", { viewBox: "0 0 24 8", "aria-hidden": "true" }, draw("line", { class: look, x2: 24, y1: 4, y2: 4 })), words);
