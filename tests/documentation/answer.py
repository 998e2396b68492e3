"""Whether an answer is the one shown. `…` in what is shown stands for anything."""

import json
import math
import re
from collections.abc import Iterator
from typing import Any

ANYTHING = "…"
_MORE = "…more"  # at the end of an array, or as a key at the end of an object
_TOKEN = re.compile(r'"(?:\\.|[^"\\])*"|…')


def parse_shown(text: str) -> list[Any]:
    """Read JSON as a document shows it: one value or several, with `…` for what is left out."""

    def write(token: re.Match[str]) -> str:
        if token[0] != ANYTHING:
            return token[0]
        if text[: token.start()].rstrip().endswith(":"):
            return json.dumps(ANYTHING)
        if text[token.end() :].lstrip().startswith("}"):
            return f"{json.dumps(_MORE)}: 0"
        return json.dumps(_MORE)

    return parse(_TOKEN.sub(write, text))


def parse(text: str) -> list[Any]:
    """Read the JSON values that stand one after the other."""
    values, rest = [], text.strip()
    decoder = json.JSONDecoder()
    while rest:
        value, end = decoder.raw_decode(rest)
        values.append(value)
        rest = rest[end:].lstrip()
    return values


def find_differences(shown: Any, actual: Any, place: str = "") -> Iterator[str]:
    """Yield what differs, with its place; nothing if the actual value is what is shown."""
    if isinstance(shown, str) and ANYTHING in shown:
        if shown != ANYTHING and not (isinstance(actual, str) and _matches(shown, actual)):
            yield f"{place}: {actual!r} is not {shown!r}"
    elif isinstance(shown, dict) and isinstance(actual, dict):
        wanted = [key for key in shown if key != _MORE]
        surplus = [] if _MORE in shown else [key for key in actual if key not in shown]
        for key in [*wanted, *surplus]:
            if key not in shown or key not in actual:
                yield f"{place}.{key}: {'not shown' if key in actual else 'missing'}"
            else:
                yield from find_differences(shown[key], actual[key], f"{place}.{key}")
    elif isinstance(shown, list) and isinstance(actual, list):
        wanted = [item for item in shown if item != _MORE]
        if len(wanted) > len(actual) or (len(wanted) < len(actual) and _MORE not in shown):
            yield f"{place}: has {len(actual)} items, shown are {len(wanted)}"
        for index, (item, each) in enumerate(zip(wanted, actual, strict=False)):
            yield from find_differences(item, each, f"{place}[{index}]")
    elif isinstance(shown, float) and isinstance(actual, float):
        if not math.isclose(shown, actual):  # libraries differ in the last digits
            yield f"{place}: {actual!r} is not {shown!r}"
    elif type(shown) is not type(actual) or shown != actual:
        yield f"{place}: {actual!r} is not {shown!r}"


def find_text_differences(shown: str, actual: str) -> Iterator[str]:
    """The same for lines of text, of which `…` alone stands for any number."""
    lines = [line.rstrip() for line in shown.strip("\n").splitlines()]
    pattern = "".join("(?:.*\n)*" if line.strip() == ANYTHING else _write(line) for line in lines)
    text = actual.strip("\n") + "\n"
    if not re.fullmatch(pattern, text):
        yield f"printed:\n{text}which is not:\n{shown}"


def appears(shown: str, actual: str) -> bool:
    """Say whether the lines shown are among the actual ones, in their order."""
    lines = [_write(line.rstrip()) for line in shown.strip("\n").splitlines()]
    return re.search("(?:.*\n)*".join(["^", *lines]), actual, re.MULTILINE) is not None


def _write(line: str) -> str:
    return ".*".join(map(re.escape, line.split(ANYTHING))) + " *\n"


def _matches(shown: str, actual: str) -> bool:
    return re.fullmatch(".*".join(map(re.escape, shown.split(ANYTHING))), actual, re.S) is not None


def show(value: Any, indent: str = "") -> str:
    """Write JSON as a document shows it: what is short stands on one line."""
    line = json.dumps(value, ensure_ascii=False)
    if len(indent) + len(line) <= 100 or not isinstance(value, dict | list):
        return line
    deeper = indent + "  "
    if isinstance(value, dict):
        parts = [f"{json.dumps(key)}: {show(part, deeper)}" for key, part in value.items()]
        first, last = "{", "}"
    else:
        parts = [show(part, deeper) for part in value]
        first, last = "[", "]"
    separator = f",\n{deeper}"
    return f"{first}\n{deeper}{separator.join(parts)}\n{indent}{last}"
