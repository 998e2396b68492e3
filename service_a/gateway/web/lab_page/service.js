// Calls to Service A, with a key where one is needed. All paths are relative, so that the page also
// works under a proxy's path.
import { find } from "./elements.js";

const KEY = "lab-api-key";
let asking;

export const hasKey = () => sessionStorage.getItem(KEY) !== null;

export async function call(path, options = {}) {
  const key = sessionStorage.getItem(KEY);
  const headers = { ...options.headers, ...(key && { "X-API-Key": key }) };
  const answer = await fetch(path, { cache: "no-store", ...options, headers });
  if (answer.status !== 401) return answer;
  asking ??= askForKey(key).finally(() => { asking = undefined; });
  await asking;
  return call(path, options);
}

export const send = (body, options) =>
  call("process", { method: "POST", headers: { "Content-Type": "application/json" }, body, ...options });

function askForKey(refused) {
  // Another call may have asked while this one was under way.
  if (sessionStorage.getItem(KEY) !== refused) return Promise.resolve();
  const dialog = find("key-dialog");
  if (refused) find("key-reason").textContent = "Service A refused this key.";
  find("key").value = "";
  dialog.showModal();
  return new Promise((resolve) => {
    dialog.oncancel = (event) => event.preventDefault();
    dialog.onclose = () => {
      sessionStorage.setItem(KEY, find("key").value);
      resolve();
    };
  });
}
