"""The examples in the contract. What both services answer to them: `tests/test_system_ames.py`."""

from typing import Any

import pytest

from gateway.web.examples import ALL_FACTS, INPUTS, SERVICE_B_DOWN
from gateway.web.house import House
from tests.conftest import StartGateway


@pytest.mark.parametrize("path", INPUTS)
def test_answer_without_service_b_is_as_the_contract_shows(
    start_gateway: StartGateway, path: str
) -> None:
    client = start_gateway(SERVICE_B_URL="http://127.0.0.1:1/predict")
    operation: Any = client.get("/openapi.json").json()["paths"][path]["post"]

    answer = client.post(path, json=INPUTS[path]["all facts"])

    shown = operation["responses"]["503"]["content"]["application/json"]["examples"]
    assert (answer.status_code, answer.json()) == (503, SERVICE_B_DOWN)
    assert shown == {"Service B is down": {"value": answer.json()}}


def test_all_facts_are_all_that_a_house_has() -> None:
    assert {*ALL_FACTS} == {*House.model_fields} - {"id"}


def test_no_examples_of_districts_are_shown_when_the_instances_are_of_another_model(
    start_gateway: StartGateway,
) -> None:
    client = start_gateway(GATEWAY_INSTANCES_MODEL="bikes")

    paths = client.get("/openapi.json").json()["paths"]

    body = paths["/api/v1/predict"]["post"]["requestBody"]["content"]["application/json"]
    assert "examples" not in body
