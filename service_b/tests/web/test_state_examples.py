"""The examples of the calls that predict nothing are what the service answers."""

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from fastapi.testclient import TestClient

from predictor.app import create_app
from predictor.card import ModelCard
from predictor.settings import Settings

FRAME: Any = {"dataframe_records": []}
CALLS = {  # path: by status, what is asked
    "/": {"200": "/", "422": "/?verbose=1"},
    "/health": {"200": "/health", "422": "/health?verbose=1"},
    "/livez": {"200": "/livez", "422": "/livez?verbose=1"},
    "/ping": {"422": "/ping?verbose=1"},
    "/version": {"422": "/version?verbose=1"},
    "/models": {"200": "/models", "422": "/models?verbose=1"},
    "/models/{name}": {
        "200": "/models/ames",
        "404": "/models/no-such-model",
        "422": "/models/ames?verbose=1",
    },
    "/models/{name}/challenger": {
        "404": "/models/no-such-model/challenger",
        "422": "/models/ames/challenger?verbose=1",
    },
    "/reload": {"200": "/reload", "422": "/reload?verbose=1"},
    "/invocations": {"404": "/invocations?model=no-such-model", "422": "/invocations?verbose=1"},
}


@pytest.mark.parametrize("path", CALLS)
def test_call_without_a_house_is_answered_as_the_contract_shows(
    ames_client: TestClient, path: str
) -> None:
    ((method, operation),) = ames_client.get("/openapi.json").json()["paths"][path].items()
    body = FRAME if path == "/invocations" else None
    for status, url in CALLS[path].items():
        answer = ames_client.request(method, url, json=body)
        (shown, *_) = operation["responses"][status]["content"]["application/json"][
            "examples"
        ].values()
        assert answer.status_code == int(status)
        assert simplify(answer.json()) == simplify(shown["value"])


def simplify(answer: Any) -> Any:
    """Leave out what differs each time, and cut lists as the contract does."""
    text = re.sub(r'"last_check": "[^"]*"', '"last_check": null', json.dumps(answer))
    value = json.loads(text)
    if "card" in value:
        value["card"] = {
            name: each[:1] if isinstance(each, list) else each
            for name, each in value["card"].items()
        }
    return value


def test_every_answer_has_an_example(ames_client: TestClient) -> None:
    paths = ames_client.get("/openapi.json").json()["paths"]
    without = [
        (path, status)
        for path, operations in paths.items()
        for operation in operations.values()
        for status, answer in operation["responses"].items()
        if status in {"200", "404", "422", "503"}
        for content in answer.get("content", {}).values()
        if not content.get("examples")
    ]
    assert without == []


def test_counted_predictions_are_shown_as_they_are(
    ames_client: TestClient, ames_card: ModelCard
) -> None:
    assert ames_client.post("/predict", json={"input": ames_card.example}).status_code == 200
    operation = ames_client.get("/openapi.json").json()["paths"]["/metrics"]["get"]
    (content,) = operation["responses"]["200"]["content"].values()
    shown = content["examples"]["one of them"]["value"]
    assert shown.rpartition(" ")[0] + " " in ames_client.get("/metrics").text


def test_challenger_that_is_not_there_yet_is_shown_as_it_is(
    settings: Settings, write_version: Callable[..., Path]
) -> None:
    write_version("1")
    settings.models.write_text(
        "models: [{name: tiny, default: true, sources: [models/tiny], challenger: {share: 0.2}}]"
    )
    with TestClient(create_app(settings)) as client:
        path = "/models/{name}/challenger"
        operation = client.get("/openapi.json").json()["paths"][path]["get"]
        shown = operation["responses"]["200"]["content"]["application/json"]["examples"]
        answer = client.get("/models/tiny/challenger").json()
        assert shown["none is tried yet"]["value"] == answer


@pytest.mark.parametrize("path", ["/ping", "/models/{name}", "/health"])
def test_answer_to_a_question_without_a_model_is_as_the_contract_shows(
    ames_client: TestClient, empty_client: TestClient, path: str
) -> None:
    operation = ames_client.get("/openapi.json").json()["paths"][path]["get"]
    shown = operation["responses"]["503"]["content"]["application/json"]["examples"]["no model"]
    answer = empty_client.get(path.format(name="tiny"))
    differs = {"model", "reason", "may_come"}  # they name the model
    assert answer.status_code == 503
    assert answer.json().keys() == shown["value"].keys()
    for name, value in answer.json().items():
        assert name in differs or shown["value"][name] == value
