// Starts the parts of the page, and says what to try next.
import { find, write } from "./elements.js";
import { on, watch } from "./events.js";
import { startBreaking } from "./faults.js";
import { load, startLoading } from "./load.js";
import { startReading } from "./log.js";
import { startJudging } from "./quality.js";
import { startSending } from "./send.js";
import { startDrawing } from "./way.js";

// What to try, in this order, until the event says that it was tried; what isn't there is passed over.
const NEXT = [
  { event: "revealed", id: "reveal", question: "Guess what it was sold for.", words: "Reveal it" },
  { event: "left-out", id: "leave-out", question: "How sure is the price if you say less?", words: "Leave out the rest, send again" },
  { event: "loaded", id: "load", question: "Do 200 houses a second queue up, or go together?", words: "Send them" },
  { event: "broken", id: "break-delay", question: "And if Service B gets slow?", words: "Slow it down" },
];

function startGuiding() {
  const tried = new Set();
  let next;
  const guide = () => {
    next = NEXT.find(({ event, id }) => !tried.has(event) && find(id)?.closest("[hidden]") === null);
    find("next").hidden = !next;
    write("next-question", next?.question ?? "");
    write("next-button", next?.words ?? "");
  };
  for (const { event } of NEXT) on(event, () => { tried.add(event); guide(); });
  on("answered", guide);
  find("next-button").addEventListener("click", () => {
    const { id } = next; // to press it may change what is next
    if (id === "load") load(200, 5);
    else find(id).click();
    if (id === "leave-out") find("send-button").click();
  });
}

startDrawing();
startReading();
startLoading();
startBreaking();
startJudging();
startGuiding();
startSending();
watch();
