"""Both services with keys, one trace through both, and the metrics of both."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import requests

from tests.running_lab import ONLY_AMES, WAIT_SECONDS, Lab, Service, wait_until

TRACE = "0af7651916cd43dd8448eb211c80319c"
HOUSE = {
    "id": 1461,
    "overallQual": 7,
    "grLivArea": 1710,
    "yearBuilt": 2003,
    "neighborhood": "CollgCr",
}
KEY = {"X-API-Key": "outer"}


@pytest.fixture(scope="module")
def guarded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    common = {"LOG_FORMAT": "json", "PREDICTOR_API_KEY": "inner"}
    folder: Path = tmp_path_factory.mktemp("lab")
    lab = Lab(
        folder, service_a={**common, "GATEWAY_API_KEYS": "outer"}, service_b=common | ONLY_AMES
    )
    with lab.running():
        yield lab


def read_ids(service: Service) -> list[tuple[Any, Any]]:
    """The ids of the request and of the trace in each of the service's log lines."""
    lines = [json.loads(line) for line in service.read_output().splitlines()]
    return [(line.get("request_id"), line.get("trace_id")) for line in lines]


def test_price_is_told_only_to_those_with_the_key_of_the_service_they_ask(guarded: Lab) -> None:
    ask_a = f"{guarded.a.url}/api/v1/price/predict"
    ask_b = f"{guarded.b.url}/predict"

    assert requests.post(ask_a, json=HOUSE, timeout=WAIT_SECONDS).status_code == 401
    assert (
        requests.post(ask_b, json={"input": HOUSE}, headers=KEY, timeout=WAIT_SECONDS).status_code
        == 401
    )
    reply = requests.post(ask_a, json=HOUSE, headers=KEY, timeout=WAIT_SECONDS)
    assert reply.status_code == 200
    assert reply.json().keys() == {"id", "predictedPrice"}


def test_trace_of_the_caller_is_in_the_logs_of_both_services(guarded: Lab) -> None:
    headers = {**KEY, "traceparent": f"00-{TRACE}-b7ad6b7169203331-01", "X-Request-ID": "r1"}

    requests.post(
        f"{guarded.a.url}/api/v1/price/predict", json=HOUSE, headers=headers, timeout=WAIT_SECONDS
    ).raise_for_status()

    wait_until(lambda: ("r1", TRACE) in read_ids(guarded.a))
    wait_until(lambda: ("r1", TRACE) in read_ids(guarded.b))


def test_metrics_of_both_services_count_the_same_predictions(guarded: Lab) -> None:
    batch = {"data": [HOUSE] * 7}
    reply = requests.post(
        f"{guarded.a.url}/api/v1/price/predict/batch", json=batch, headers=KEY, timeout=WAIT_SECONDS
    )
    assert reply.status_code == 200

    def count(service: Service, prefix: str) -> float:
        lines = requests.get(f"{service.url}/metrics", timeout=WAIT_SECONDS).text.splitlines()
        return sum(float(line.rpartition(" ")[2]) for line in lines if line.startswith(prefix))

    forwarded = count(guarded.a, 'gateway_forwards_total{outcome="predicted"}')
    assert forwarded >= 7
    assert count(guarded.b, "predictor_predictions_total") == forwarded
