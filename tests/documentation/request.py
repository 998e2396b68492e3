"""The HTTP requests of a command, for bash with curl and for PowerShell, to be compared."""

import json
import shlex
from collections.abc import Iterator
from typing import Any, NamedTuple

import tree_sitter
import tree_sitter_powershell

_ENDS = {"|", "||", "&&", "&", ";", ">"}
_POWERSHELL = tree_sitter.Parser(tree_sitter.Language(tree_sitter_powershell.language()))


class HttpRequest(NamedTuple):
    method: str
    url: str
    headers: dict[str, str]  # by their names in lower case
    body: Any  # JSON


class UnreadableCommand(Exception):
    """A command that isn't written as the documents write theirs."""


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


def read_powershell_requests(script: str) -> list[HttpRequest]:
    """Return what the Invoke-RestMethod commands of a PowerShell script send."""
    root = _POWERSHELL.parse(script.encode()).root_node
    if root.has_error:
        raise UnreadableCommand(f"not PowerShell: {script}")
    commands = [node for node in _walk(root) if node.type == "command"]
    return [
        _read_powershell(command)
        for command in commands
        if _text(command).startswith("Invoke-RestMethod")
    ]


def _read_powershell(command: tree_sitter.Node) -> HttpRequest:
    (elements,) = [node for node in command.named_children if node.type == "command_elements"]
    given: dict[str, tree_sitter.Node] = {}
    parameter = "-Uri"  # may be left out
    for node in elements.named_children:
        if node.type == "command_parameter":
            parameter = _text(node)
        elif node.type != "command_argument_sep":
            given[parameter] = node
            parameter = "-Uri"
    known = {"-Uri", "-Method", "-ContentType", "-Headers", "-Body", "-OutFile"}
    if not given.keys() <= known:
        raise UnreadableCommand(f"not one of {sorted(known)}: {sorted(given)}")
    headers = dict(_read_hash(given["-Headers"])) if "-Headers" in given else {}
    if "-ContentType" in given:
        headers["content-type"] = _read_word(given["-ContentType"])
    return HttpRequest(
        _read_word(given["-Method"]).upper() if "-Method" in given else "GET",
        _read_word(given["-Uri"]),
        headers,
        json.loads(_read_word(given["-Body"])) if "-Body" in given else None,
    )


def _read_hash(node: tree_sitter.Node) -> Iterator[tuple[str, str]]:
    for entry in _walk(node):
        if entry.type == "hash_entry":
            key, value = entry.named_children
            yield _read_word(key).lower(), _read_word(value)


def _read_word(node: tree_sitter.Node) -> str:
    text = _text(node)
    if text.startswith("'"):
        return text[1:-1].replace("''", "'")
    if text.startswith('"') and "$" not in text and "`" not in text:
        return text[1:-1]
    if node.type == "generic_token":
        return text
    raise UnreadableCommand(f"neither a word nor a plain string: {text}")


def _text(node: tree_sitter.Node) -> str:
    return (node.text or b"").decode()


def _walk(node: tree_sitter.Node) -> Iterator[tree_sitter.Node]:
    yield node
    for child in node.named_children:
        yield from _walk(child)
