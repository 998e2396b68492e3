// The request of the form for a terminal.
import { find } from "./elements.js";
import { hasKey } from "./service.js";

/** A command is selected when it gets the focus, ready to copy; a page without HTTPS has no clipboard. */
export function startSelecting() {
  for (const id of ["curl", "powershell"]) find(id).addEventListener("focus", () => getSelection().selectAllChildren(find(id)));
}

export function showCommands(body) {
  const url = new URL("process", document.baseURI).href;
  const curlKey = hasKey() ? '  -H "X-API-Key: $LAB_KEY" \\\n' : "";
  const powershellKey = hasKey() ? "  -Headers @{'X-API-Key' = $env:LAB_KEY} `\n" : "";
  find("curl").textContent = `curl -X POST ${url} -H 'Content-Type: application/json' \\\n${curlKey}`
    + `  -d '${body.replaceAll("'", "'\\''")}'`;
  find("powershell").textContent = `Invoke-RestMethod -Method Post ${url} -ContentType application/json \`\n${powershellKey}`
    + `  -Body '${escape(body).replaceAll("'", "''")}'`;
}

/** PowerShell takes typographic quotes for quotes, and 5.1 sends other letters wrongly. */
const escape = (json) => json.replace(/[^\x00-\x7e]/g, (unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, "0")}`);
