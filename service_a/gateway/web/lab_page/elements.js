// Whatever is shown is set as text, never as markup.
export const find = (id) => document.getElementById(id);
export const make = (tag, attributes, ...children) => fill(document.createElement(tag), attributes, children);
export const draw = (tag, attributes, ...children) =>
  fill(document.createElementNS("http://www.w3.org/2000/svg", tag), attributes, children);

function fill(element, attributes, children) {
  for (const [name, value] of Object.entries(attributes)) {
    if (typeof value === "function") element.addEventListener(name, value);
    else if (value !== undefined && value !== false) element.setAttribute(name, value === true ? "" : value);
  }
  element.append(...children.filter((child) => child !== undefined));
  return element;
}

/** Set a place or a size in percent. The page's policy allows no style attributes. */
export function place(element, property, percent) {
  element.style.setProperty(property, `${percent}%`);
  return element;
}

export const showNumber = (number) => number.toLocaleString("en-US");
export const showDollars = (amount) => `$${Math.round(amount).toLocaleString("en-US")}`;

export function showTime(ms) {
  if (ms === null || ms === undefined) return "–";
  return ms < 1000 ? `${ms < 10 ? ms.toFixed(1) : Math.round(ms)} ms` : `${(ms / 1000).toFixed(1)} s`;
}

/** Write text where it differs, so that a screen reader says it once. */
export function write(id, text) {
  if (find(id).textContent !== text) find(id).textContent = text;
}
