// The server-sent events of /lab/events. `EventSource` can't send a key, so they are read by fetch.
import { find, write } from "./elements.js";
import { call } from "./service.js";

const SILENCE_MS = 5000; // the state comes every second
const AGAIN_MS = 1000;
const lab = new EventTarget();

export const on = (kind, react) => lab.addEventListener(kind, (event) => react(event.detail));
export const say = (kind, detail) => lab.dispatchEvent(new CustomEvent(kind, { detail }));

export async function watch() {
  for (;;) {
    const abort = new AbortController();
    // Nobody answered, it broke off, or it was silent for too long.
    const why = await read(abort).catch(() => "Service A is away");
    report("away", `${why}. Trying again…`);
    await new Promise((resolve) => { setTimeout(resolve, AGAIN_MS); });
  }
}

async function read(abort) {
  const answer = await call("lab/events", { signal: abort.signal });
  if (!answer.ok) return (await answer.json()).detail;
  report("watching", "Watching live");
  say("connected");
  const reader = answer.body.pipeThrough(new TextDecoderStream()).getReader();
  let text = "";
  for (;;) {
    const timer = setTimeout(() => abort.abort(), SILENCE_MS);
    const { value, done } = await reader.read().finally(() => clearTimeout(timer));
    if (done) return "Service A is away";
    const events = (text + value).split(/\r?\n\r?\n/);
    text = events.pop();
    events.forEach(receive);
  }
}

function receive(text) {
  const fields = Object.fromEntries(text.split(/\r?\n/).map((line) => line.split(/: ?(.*)/s, 2)));
  if (fields.data) say(fields.event, JSON.parse(fields.data));
}

function report(state, text) {
  find("watching").dataset.state = state;
  write("watching", text);
}
