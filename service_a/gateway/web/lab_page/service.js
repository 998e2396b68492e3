// Calls to Service A, with a key where one is needed. Paths are relative: a proxy may have put one before.
import { find } from "./elements.js";

const KEY = "lab-api-key";
let asking;

export const hasKey = () => Boolean(sessionStorage.getItem(KEY));

export async function call(path, options = {}) {
  const key = sessionStorage.getItem(KEY);
  const headers = { ...options.headers, ...(key && { "X-API-Key": key }) };
  const answer = await fetch(path, { cache: "no-store", ...options, headers });
  if (answer.status !== 401) return answer;
  asking ??= askForKey(key).finally(() => { asking = undefined; });
  await asking;
  return call(path, options);
}

/** The JSON of an answer; throws where there is none. */
export async function get(path) {
  const answer = await call(path);
  if (!answer.ok) throw new Error(`${path}: ${answer.status}`);
  return answer.json();
}

export const send = (method, path, body, options) =>
  call(path, { method, body, headers: { "Content-Type": "application/json" }, ...options });

async function askForKey(refused) {
  if (sessionStorage.getItem(KEY) !== refused) return; // another call asked while this one was under way
  if (refused) find("key-reason").textContent = "Service A refused this key.";
  find("key").value = "";
  find("key-dialog").showModal();
  await new Promise((resolve) => { find("key-dialog").addEventListener("close", resolve, { once: true }); });
  sessionStorage.setItem(KEY, find("key").value);
}
