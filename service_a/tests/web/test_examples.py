"""The examples in the contract; at the root, `test_contract_examples.py` asks both services."""

from typing import Any

import pytest
from starlette.testclient import TestClient

from gateway.web.examples import ALL_FACTS, INPUTS, LOG_DOWN, NOT_LOGGED, SERVICE_B_DOWN
from gateway.web.house import House
from tests.conftest import StartGateway

FORWARDING = INPUTS.keys() - LOG_DOWN.keys()


@pytest.mark.parametrize("path", sorted(FORWARDING))
def test_answer_without_service_b_is_as_the_contract_shows(
    start_gateway: StartGateway, path: str
) -> None:
    client = start_gateway(SERVICE_B_URL="http://127.0.0.1:1/predict")

    answer = client.post(path, json=INPUTS[path]["all facts"])

    shown = read_examples(client, path, "503")["Service B is down"]
    assert (answer.status_code, answer.json(), shown) == (503, SERVICE_B_DOWN, SERVICE_B_DOWN)


def test_answers_without_a_log_are_as_the_contract_shows(start_gateway: StartGateway) -> None:
    client = start_gateway(INPUT_LOG_URL="sqlite:////dev/null/inputs.db")
    shown = LOG_DOWN | dict.fromkeys(FORWARDING, NOT_LOGGED)

    for path, detail in shown.items():
        (method,) = client.get("/openapi.json").json()["paths"][path]
        body = next(iter(INPUTS[path].values())) if path in INPUTS else None
        answer = client.request(method, path.replace("{request_id}", "r1"), json=body)
        assert (answer.status_code, answer.json()) == (503, detail), path
        assert read_examples(client, path, "503")["the log is down"] == detail, path


def read_examples(client: TestClient, path: str, status: str) -> dict[str, Any]:
    (operation,) = client.get("/openapi.json").json()["paths"][path].values()
    (content,) = operation["responses"][status]["content"].values()
    return {name: each["value"] for name, each in content["examples"].items()}


def test_all_facts_are_all_that_a_house_has() -> None:
    assert {*ALL_FACTS} == {*House.model_fields} - {"id"}


def test_no_examples_of_districts_are_shown_when_the_instances_are_of_another_model(
    start_gateway: StartGateway,
) -> None:
    client = start_gateway(GATEWAY_INSTANCES_MODEL="bikes")

    paths = client.get("/openapi.json").json()["paths"]

    body = paths["/api/v1/predict"]["post"]["requestBody"]["content"]["application/json"]
    assert "examples" not in body
