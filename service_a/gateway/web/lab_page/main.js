// Starts the parts of the page, and says what to try next.
import { find, make } from "./elements.js";
import { on, watch } from "./events.js";
import { startBreaking } from "./faults.js";
import { startLoading } from "./load.js";
import { startReading } from "./log.js";
import { startSending } from "./send.js";
import { startDrawing } from "./way.js";

// What to try, in this order, until the event says that it was tried.
const NEXT = [
  ["revealed", "answer", "Guess what it was sold for, then reveal it."],
  ["left-out", "optional", "Leave out the other facts and send again. How sure is the price then?"],
  ["loaded", "load", "Send 40 houses a second. How many go together?"],
  ["broken", "break", "Break it, on purpose. What will callers see?"],
];

function startGuiding() {
  const tried = new Set();
  for (const [event] of NEXT) on(event, () => { tried.add(event); guide(); });
  on("answered", guide);
  function guide() {
    const next = NEXT.find(([event]) => !tried.has(event));
    find("next").replaceChildren(...(next ? [make("b", {}, "Next: "), make("a", { href: `#${next[1]}` }, next[2])] : []));
  }
}

startDrawing();
startReading();
startLoading();
startBreaking();
startGuiding();
startSending();
watch();
