from typing import Any

import pytest
from starlette.testclient import TestClient

from tests.conftest import StartGateway
from tests.stub_server import PREDICTION, Exchange, StubServer, answer

MODELS = {
    "models": [
        {"name": "ames", "version": "1", "default": True},
        {"name": "ames@challenger", "version": "2", "default": False},
        {"name": "california", "version": None, "default": False},
    ]
}
CARD = {
    "metrics": {
        "mape_percent": 6.8327,
        "median_ape_percent": 4.8517,
        "within_10_percent_share": 0.7833,
    },
    "interval": {"coverage": 0.9},
}
PROMISE = {"mape": 0.068327, "median_ape": 0.048517, "within_10_percent": 0.7833, "coverage": 0.9}


def describe_models(exchange: Exchange) -> None:
    """Answer as Service B does, which has a card for one version."""
    answers: dict[str, Any] = {"/models": MODELS, "/models/ames": {"card": CARD}}
    found = answers.get(exchange.received.line.split()[1])
    answer(200, PREDICTION if found is None else found)(exchange)


def predict(client: TestClient, *actual_prices: float, **more: object) -> None:
    for price in actual_prices:
        client.post("/process", json={"data": 1, **more})
        number = client.get("/inputs?limit=1").json()["inputs"][0]["number"]
        reply = client.post("/actuals", json={"actuals": [{"number": number, "price": price}]})
        assert reply.json() == {"recorded": 1, "unknown": []}


def read(client: TestClient, **parameters: str) -> Any:
    reply = client.get("/quality", params=parameters)
    assert reply.status_code == 200
    return reply.json()["versions"]


def test_figures_stand_beside_what_the_card_promises(client: TestClient, stub: StubServer) -> None:
    stub.behave = describe_models
    predict(client, 208500.0, 417000.0)
    client.post("/process", json={"data": 1})

    (found,) = read(client)

    coverage = found.pop("coverage")
    assert found == {
        "model": "ames",
        "model_version": "1",
        "predicted": 3,
        "with_actual": 2,
        "mape": 0.25,
        "median_ape": 0.25,
        "bias": -0.25,
        "within_10_percent": 0.5,
        "promised": PROMISE,
    }
    assert coverage["value"] == 0.5
    assert 0 < coverage["lower"] < 0.5 < coverage["upper"] < 1


def test_figures_come_without_a_promise_while_service_b_is_away(
    client: TestClient, stub: StubServer
) -> None:
    predict(client, 208500.0)
    stub.close()

    (found,) = read(client)

    assert (found["model"], found["with_actual"], found["promised"]) == (None, 1, None)


def test_there_are_no_versions_while_the_log_is_empty(client: TestClient) -> None:
    assert read(client) == []


def test_span_and_version_are_chosen(client: TestClient) -> None:
    predict(client, 208500.0, model="ames")

    for expected, parameters in [
        (1, {"model": "ames", "model_version": "1"}),
        (0, {"model": "california"}),
        (0, {"model_version": "2"}),
        (1, {"from": "2020-01-01T00:00:00Z", "before": "9999-01-01T00:00:00Z"}),
        (0, {"before": "2020-01-01T00:00:00+02:00"}),
    ]:
        assert len(read(client, **parameters)) == expected


@pytest.mark.parametrize(
    ("parameter", "value"),
    [
        ("model", "a b"),
        ("model_version", "1" * 65),
        ("model_version", "\x00"),
        ("from", "2026-01-01T00:00:00"),
        ("before", "yesterday"),
        ("received_from", "2026-01-01T00:00:00Z"),
    ],
)
def test_wrong_parameter_is_named(client: TestClient, parameter: str, value: str) -> None:
    reply = client.get("/quality", params={parameter: value})

    assert reply.status_code == 422
    assert reply.json()["detail"][0]["loc"] == ["query", parameter]


def test_quality_says_so_when_the_log_can_not_be_used(start_gateway: StartGateway) -> None:
    client = start_gateway(INPUT_LOG_URL="sqlite:////dev/null/inputs.db")

    reply = client.get("/quality")

    assert (reply.status_code, reply.json()) == (503, {"detail": "Input log is unavailable"})
