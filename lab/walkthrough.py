"""The walkthrough: calls as commands to copy, their answers, and whether these are as expected."""

import json
import os
import re
import sys
from typing import NamedTuple

from lab.calls import Answer, NoAnswer, call
from lab.errors import LabFailure
from lab.output import colour
from lab.shells import Shell

HOUSE = '{"overall_qual": 7, "gr_liv_area": 1710, "year_built": 2003, "neighborhood": "CollgCr"}'
_BAD_HOUSE = HOUSE.replace("1710", "-1")


class Step(NamedTuple):
    title: str
    service: str
    path: str
    body: str | None
    expected: str
    """An expression of Python about `status` and `answer`, shown when it doesn't hold."""
    lesson: str


_NAMED = 'status == 200 and answer == {{"service": "{}", "status": "running"}}'
_HEALTHY = 'status == 200 and answer["service"] == "{}" and answer["status"] == "healthy"'
_BLAMED = 'status == 422 and any(error["loc"][-2:] == {} for error in answer["detail"])'
_LOGGED = '"Input logged successfully"'
STEPS = [
    Step(
        "Service A is there",
        "A",
        "/",
        None,
        _NAMED.format("Service A - Input Logger"),
        "Each service says who it is at /, without a model and without a log.",
    ),
    Step(
        "Service B is there",
        "B",
        "/",
        None,
        _NAMED.format("Service B - ML Prediction"),
        "The two services are two programs, each with a port of its own.",
    ),
    Step(
        "Service A is healthy",
        "A",
        "/health",
        None,
        _HEALTHY.format("Service A"),
        "Service A is healthy while it can log. It doesn't need Service B for that.",
    ),
    Step(
        "Service B is healthy: its model is loaded",
        *("B", "/health", None, _HEALTHY.format("Service B")),
        "Service B is healthy once its model can predict. Compose starts Service A only then.",
    ),
    Step(
        "Service A logs an input and forwards nothing",
        *("A", "/process", f'{{"data": {HOUSE}, "forward_to_model": false}}'),
        f'status == 200 and answer == {{"status": {_LOGGED}}}',
        "The input is on disk before this answer. Service B never heard of it.",
    ),
    Step(
        "Service A logs an input and forwards it: the price comes back",
        *("A", "/process", f'{{"data": {HOUSE}}}'),
        f'status == 200 and answer["status"] == {_LOGGED}'
        ' and answer["model_prediction"]["prediction"]["price"] > 0',
        "The input was logged first, then forwarded. So nothing is lost when Service B fails.",
    ),
    Step(
        "Service B answers for itself too",
        *("B", "/predict", f'{{"input": {HOUSE}}}'),
        'status == 200 and answer["prediction"]["price"] > 0',
        "Service A passes on what Service B answers, and adds only its own status.",
    ),
    Step(
        "Service B refuses an area below zero and names the field",
        *("B", "/predict", f'{{"input": {_BAD_HOUSE}}}'),
        _BLAMED.format('["input", "gr_liv_area"]'),
        "A wrong input is a 422, and `loc` is the path to the field within the body.",
    ),
    Step(
        "Through Service A the same mistake is found under data, where the caller put it",
        *("A", "/process", f'{{"data": {_BAD_HOUSE}}}'),
        _BLAMED.format('["data", "gr_liv_area"]'),
        "Service A passes the 422 on, with `loc` as its own caller sees the body: data, not input.",
    ),
]
_BOLD, _GREEN, _RED, _YELLOW, _CYAN = 1, 32, 31, 33, 36
_LINE_WIDTH = 88
_JSON_TOKEN = re.compile(
    r'(?P<key>"(?:[^"\\]|\\.)*")(?=:)|(?P<text>"(?:[^"\\]|\\.)*")|(?P<other>-?\d[\d.eE+-]*|true|false|null)'
)
_TOKEN_COLOURS = {"key": _CYAN, "text": _GREEN, "other": _YELLOW}


def walk_through(a: str, b: str, shell: Shell, *, waits: bool = False) -> bool:
    """Make all calls and say whether every answer is as expected.

    After each call it may say what the call teaches, and wait for the reader.
    """
    urls = {"A": a, "B": b}
    for service, url in urls.items():
        try:
            call(url, timeout_seconds=5)
        except NoAnswer:
            raise LabFailure(
                f"Service {service} does not answer at {url}. Start both services in another"
                f" {shell.terminal}: {shell.run}"
            ) from None
    keys = {
        "A": os.environ.get("GATEWAY_API_KEYS", "").split(",")[0],
        "B": os.environ.get("PREDICTOR_API_KEY", ""),
    }
    # What is shown names the variable, not the key.
    headers = {"A": shell.gateway_key, "B": shell.predictor_key}
    wrong = 0
    for number, step in enumerate(STEPS, start=1):
        url, key = urls[step.service] + step.path, keys[step.service]
        template = shell.get if step.body is None else shell.post
        header = headers[step.service] if key else ""
        command = template.format(url=url, body=step.body, header=header)
        title = colour(f"{number}. {step.title}", _BOLD)
        print(f"\n{title}\n\n{shell.prompt} {command}")
        try:
            answer = call(url, step.body, key=key)
        except NoAnswer as error:
            answer = Answer(0, str(error))
        print(show(answer.text))
        if holds(step.expected, answer):
            print(colour(f"(status {answer.status}, as expected)", _GREEN))
        else:
            wrong += 1
            problem = f"(status {answer.status:03}) NOT AS EXPECTED: {step.expected}"
            print(colour(problem, _RED))
        if waits:
            print(f"\n{step.lesson}")
            _wait_for_enter("the next call" if number < len(STEPS) else "the end")
    print(f"\n{len(STEPS)} calls, {wrong} not as expected")
    return wrong == 0


def show(text: str) -> str:
    """Indent JSON unless it is short, and colour it where there are colours."""
    try:
        value = json.loads(text)
    except ValueError:
        return text
    shown = json.dumps(value, ensure_ascii=False)
    if len(shown) > _LINE_WIDTH:
        shown = json.dumps(value, ensure_ascii=False, indent=2)
    return _JSON_TOKEN.sub(_colour_token, shown)


def _colour_token(token: re.Match[str]) -> str:
    return colour(token[0], _TOKEN_COLOURS[str(token.lastgroup)])


def _wait_for_enter(what: str) -> None:
    print(f"Press Enter for {what} ", end="", flush=True)
    if not sys.stdin.readline():  # nobody is there to press it
        print()


def holds(expected: str, answer: Answer) -> bool:
    try:
        names = {"status": answer.status, "answer": json.loads(answer.text)}
        return bool(eval(expected, names))  # noqa: S307 - an expression of this module
    except (LookupError, TypeError, ValueError):
        return False
