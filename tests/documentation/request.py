"""The HTTP requests of a command, for bash with curl and for PowerShell, to be compared."""

import json
import re
import shlex
from collections.abc import Iterator
from typing import Any, NamedTuple

_ENDS = {"|", "||", "&&", "&", ";", ">"}


class HttpRequest(NamedTuple):
    method: str
    url: str
    headers: dict[str, str]  # by their names in lower case
    body: Any  # JSON


def read_curl_requests(script: str) -> list[HttpRequest]:
    """Return what the curl commands of a bash script send, as far as they stand there in full."""
    words = iter([*shlex.split(script.replace("\\\n", " "), comments=True), ";"])
    return [_read_curl(words) for word in words if word == "curl"]


def _read_curl(words: Iterator[str]) -> HttpRequest:
    method, url, body = "GET", "", None
    headers = {}
    for word in words:
        if word in _ENDS:
            break
        if word == "-X":
            method = next(words)
        elif word == "-H":
            name, _, value = next(words).partition(": ")
            headers[name.lower()] = value
        elif word == "-d":
            body = json.loads(next(words))
        elif word in ("-o", "-m", "--max-time", "-w"):
            next(words)
        elif not word.startswith("-"):
            url = word.rstrip(";")
    return HttpRequest(method, url, headers, body)


class UnreadableCommand(Exception):
    """A command that isn't written as the documents write theirs."""


_PARAMETERS = {"-Uri", "-Method", "-ContentType", "-Headers", "-Body", "-OutFile"}
_WORD = re.compile(
    r"""'(?:[^']|'')*' | "[^"$`]*" | @\{(?P<hash>[^}]*)\} | (?P<end>[|;()\n]) | [^\s'"|;()@]+""",
    re.VERBOSE,
)


def read_powershell_requests(script: str) -> list[HttpRequest]:
    """Return what the Invoke-RestMethod commands of a PowerShell script send.

    This reads what the documents contain, not the language; `.ci/run powershell` runs it.
    """
    words = _WORD.finditer(script.replace("`\n", " "))
    return [_read_powershell(words) for word in words if word[0] == "Invoke-RestMethod"]


def _read_powershell(words: Iterator[re.Match[str]]) -> HttpRequest:
    given: dict[str, re.Match[str]] = {}
    parameter = "-Uri"  # may be left out
    for word in words:
        if word["end"]:
            break
        if word[0].startswith("-"):
            parameter = word[0]
        else:
            given[parameter] = word
            parameter = "-Uri"
    if "-Uri" not in given or not given.keys() <= _PARAMETERS:
        raise UnreadableCommand(f"no -Uri, or not one of {sorted(_PARAMETERS)}: {sorted(given)}")
    headers = {}
    if "-Headers" in given:
        name, value = (_unquote(part.strip()) for part in given["-Headers"]["hash"].split("="))
        headers[name.lower()] = value
    if "-ContentType" in given:
        headers["content-type"] = _unquote(given["-ContentType"][0])
    return HttpRequest(
        _unquote(given["-Method"][0]).upper() if "-Method" in given else "GET",
        _unquote(given["-Uri"][0]),
        headers,
        json.loads(_unquote(given["-Body"][0])) if "-Body" in given else None,
    )


def _unquote(word: str) -> str:
    if word.startswith("'"):
        return word[1:-1].replace("''", "'")
    if word.startswith('"'):
        return word[1:-1]
    if set(word) & set("${}"):
        raise UnreadableCommand(f"neither a word nor a plain string: {word}")
    return word
