"""The walkthrough: calls as commands to copy, their answers, and whether these are as expected."""

import json
import os
from typing import NamedTuple

from lab.calls import Answer, NoAnswer, call
from lab.errors import LabFailure
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


_NAMED = 'status == 200 and answer == {{"service": "{}", "status": "running"}}'
_HEALTHY = 'status == 200 and answer["service"] == "{}" and answer["status"] == "healthy"'
_BLAMED = 'status == 422 and any(error["loc"][-2:] == {} for error in answer["detail"])'
_LOGGED = '"Input logged successfully"'
STEPS = [
    Step("Service A is there", "A", "/", None, _NAMED.format("Service A - Input Logger")),
    Step("Service B is there", "B", "/", None, _NAMED.format("Service B - ML Prediction")),
    Step("Service A is healthy", "A", "/health", None, _HEALTHY.format("Service A")),
    Step(
        "Service B is healthy: its model is loaded",
        *("B", "/health", None, _HEALTHY.format("Service B")),
    ),
    Step(
        "Service A logs an input and forwards nothing",
        *("A", "/process", f'{{"data": {HOUSE}, "forward_to_model": false}}'),
        f'status == 200 and answer == {{"status": {_LOGGED}}}',
    ),
    Step(
        "Service A logs an input and forwards it: the price comes back",
        *("A", "/process", f'{{"data": {HOUSE}}}'),
        f'status == 200 and answer["status"] == {_LOGGED}'
        ' and answer["model_prediction"]["prediction"]["price"] > 0',
    ),
    Step(
        "Service B answers for itself too",
        *("B", "/predict", f'{{"input": {HOUSE}}}'),
        'status == 200 and answer["prediction"]["price"] > 0',
    ),
    Step(
        "Service B refuses an area below zero and names the field",
        *("B", "/predict", f'{{"input": {_BAD_HOUSE}}}'),
        _BLAMED.format('["input", "gr_liv_area"]'),
    ),
    Step(
        "Through Service A the same mistake is found under data, where the caller put it",
        *("A", "/process", f'{{"data": {_BAD_HOUSE}}}'),
        _BLAMED.format('["data", "gr_liv_area"]'),
    ),
]


def walk_through(a: str, b: str, shell: Shell) -> bool:
    """Make all calls and say whether every answer is as expected."""
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
        print(f"\n{number}. {step.title}\n\n{shell.prompt} {command}")
        try:
            answer = call(url, step.body, key=key)
        except NoAnswer as error:
            answer = Answer(0, str(error))
        print(answer.text)
        if holds(step.expected, answer):
            print(f"(status {answer.status}, as expected)")
        else:
            wrong += 1
            print(f"(status {answer.status:03}) NOT AS EXPECTED: {step.expected}")
    print(f"\n{len(STEPS)} calls, {wrong} not as expected")
    return wrong == 0


def holds(expected: str, answer: Answer) -> bool:
    try:
        names = {"status": answer.status, "answer": json.loads(answer.text)}
        return bool(eval(expected, names))  # noqa: S307 - an expression of this module
    except (LookupError, TypeError, ValueError):
        return False
