"""The examples in Service A's contract are what both services really answer.

After a change that alters answers, `UPDATE_DOCUMENTATION=1` writes the new ones into
`gateway/web/example_answers.json`. (Service B makes its own examples when it loads a model.)
"""

import json
import os
import re
from collections.abc import Iterator
from typing import Any

import pytest
import requests

from tests.documentation.answer import find_differences
from tests.running_lab import ROOT, WAIT_SECONDS, Lab, Service

ANSWERS = ROOT / "service_a/gateway/web/example_answers.json"
TRACE = "my-first-trace"
CALLS = {  # path: by the name of the example, what is asked
    "/": {"anybody": "/", "unknown parameter": "/?verbose=1"},
    "/health": {"healthy": "/health", "unknown parameter": "/health?verbose=1"},
    "/livez": {"alive": "/livez", "unknown parameter": "/livez?verbose=1"},
    "/inputs": {"one request": f"/inputs?request_id={TRACE}", "wrong": "/inputs?limit=0"},
    "/inputs/export": {
        "one request": f"/inputs/export?request_id={TRACE}",
        "wrong": "/inputs/export?outcome=lost",
    },
    "/inputs/replay": {"some": "/inputs/replay", "wrong": "/inputs/replay?limit=0"},
    "/inputs/{request_id}": {
        "predicted": f"/inputs/{TRACE}",
        "no such request": "/inputs/no-such-request",
        "wrong": "/inputs/a%20b",
    },
    "/quality": {"all versions": "/quality", "wrong": "/quality?from=yesterday"},
    "/metrics": {"forwards": "/metrics", "unknown parameter": "/metrics?verbose=1"},
}
DIFFERS = {"received_at", "outcome_at", "actual_at", "duration_ms", "last_check"}  # each time


@pytest.fixture(scope="module")
def unused_lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    """Both services, with nothing in their log but one house."""
    with Lab(tmp_path_factory.mktemp("lab")).running() as lab:
        house = {"overallQual": 7, "grLivArea": 1710, "yearBuilt": 2003, "neighborhood": "CollgCr"}
        requests.post(
            f"{lab.a.url}/process",
            json={"data": house},
            headers={"X-Request-ID": TRACE},
            timeout=WAIT_SECONDS,
        ).raise_for_status()
        yield lab


def test_examples_of_service_a_are_answered_as_its_contract_shows(unused_lab: Lab) -> None:
    paths = read_paths(unused_lab.a)
    asked: dict[str, Any] = {path: {} for path in paths}
    # Prices before those who read them.
    for path in sorted(paths, key=lambda path: path != "/actuals"):
        (method,) = paths[path]
        (operation,) = paths[path].values()
        content = operation.get("requestBody", {"content": {}})["content"]
        bodies = content.get("application/json", {"examples": {}})["examples"]
        for name, example in bodies.items():
            keep(asked[path], name, ask(unused_lab.a, method, path, example["value"]))
        for name, url in CALLS.get(path, {}).items():
            keep(asked[path], name, ask(unused_lab.a, method, url))
        assert asked[path].keys() >= {"200", "422"}, path

    shown = json.loads(ANSWERS.read_text(encoding="utf-8"))
    differences = list(find_differences(leave_out(shown), leave_out(asked)))
    if differences and os.environ.get("UPDATE_DOCUMENTATION"):
        ANSWERS.write_text(json.dumps(asked, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
    assert differences == []
    for path, answers in asked.items():
        assert shown[path].keys() <= answers.keys()
        for status in answers:
            assert read_examples(paths, path, status) == shown[path][status], path


def ask(service: Service, method: str, path: str, body: object = None) -> requests.Response:
    return requests.request(method, service.url + path, json=body, timeout=WAIT_SECONDS)


def read_paths(service: Service) -> Any:
    return ask(service, "GET", "/openapi.json").json()["paths"]


def read_examples(paths: Any, path: str, status: str) -> Any:
    (operation,) = paths[path].values()
    (content,) = operation["responses"][status]["content"].values()
    return {name: each["value"] for name, each in content["examples"].items()}


def keep(asked: dict[str, Any], name: str, answer: requests.Response) -> None:
    is_json = answer.headers["Content-Type"] == "application/json"
    value = answer.json() if is_json else cut(answer.text)
    asked.setdefault(str(answer.status_code), {})[name] = value


def cut(text: str) -> str:
    """Keep one of all metrics."""
    lines = [line for line in text.splitlines() if "_forwards_total" in line or line[0] == "{"]
    return "\n".join(lines) + "\n"


def leave_out(answers: Any) -> Any:
    """Replace what differs each time."""
    text = json.dumps(answers)
    names = "|".join(DIFFERS)
    return json.loads(re.sub(rf'(\\?"(?:{names})\\?": ?)(?:\\?"[^"]*"|[\d.e+-]+)', r"\1null", text))
