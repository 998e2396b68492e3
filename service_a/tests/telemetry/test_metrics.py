import re
from typing import Any

import pytest
from starlette.testclient import TestClient

from gateway.forwarding.circuit_breaker import CircuitState
from gateway.telemetry.metrics import Metrics
from gateway.web.schemas import HOUSE
from tests.conftest import StartGateway
from tests.stub_server import REJECTION, StubServer, answer, predict


def read(client: TestClient) -> dict[str, float]:
    """Return the value of each series, by its name with its labels."""
    return parse(client.get("/metrics").text)


def parse(text: str) -> dict[str, float]:
    return {
        name: float(value)
        for name, value in re.findall(r"^([^# ][^ ]*|[^#{]+\{.*\}) (\S+)$", text, re.MULTILINE)
    }


def test_requests_are_counted_by_route_method_and_status(client: TestClient) -> None:
    client.post("/process", json={"data": 1, "forward_to_model": False})
    client.post("/process", content=b"x")
    for request_id in ("a", "b"):
        client.get(f"/inputs/{request_id}")

    series = read(client)
    prefix = "http_requests_total"
    assert series[f'{prefix}{{method="POST",route="/process",status="200"}}'] == 1
    assert series[f'{prefix}{{method="POST",route="/process",status="415"}}'] == 1
    assert series[f'{prefix}{{method="GET",route="/inputs/{{request_id}}",status="404"}}'] == 2
    duration = 'http_request_duration_seconds_count{method="POST",route="/process"}'
    assert series[duration] == 2


def test_unknown_paths_and_methods_are_one_series(client: TestClient) -> None:
    for number in range(20):
        client.get(f"/no/such/{number}")
        client.request(f"METHOD{number}", f"/no/such/{number}")

    counted = [name for name in read(client) if name.startswith("http_requests_total")]
    assert sorted(counted) == [
        'http_requests_total{method="GET",route="unknown",status="404"}',
        'http_requests_total{method="other",route="unknown",status="404"}',
    ]


def test_forwards_batches_and_inputs_are_counted(client: TestClient, stub: StubServer) -> None:
    stub.behave = predict
    client.post("/api/v1/price/predict/batch", json={"data": [HOUSE] * 5})
    stub.behave = answer(422, REJECTION)
    client.post("/process", json={"data": 1})
    stub.behave = answer(500, b"")
    client.post("/process", json={"data": 1})

    series = read(client)
    assert series['gateway_forwards_total{outcome="predicted"}'] == 5
    assert series['gateway_forwards_total{outcome="rejected"}'] == 1
    assert series['gateway_forwards_total{outcome="unavailable"}'] == 1
    assert series["gateway_inputs_logged_total"] == 7
    assert series['gateway_batch_size_sum{batch="forward"}'] == 7
    assert series['gateway_batch_size_count{batch="forward"}'] == 3
    assert series["gateway_log_commit_seconds_count"] >= 3


def test_warnings_are_counted_by_their_fields_in_so_many_series() -> None:
    metrics = Metrics()
    metrics.count_warnings("ames", "2", ["garage_cars,garage_type", ""])
    metrics.count_warnings("ames", "2", ["garage_cars,garage_type", "x" * 201])
    for number in range(300):
        metrics.count_warnings(None, None, [str(number)])

    series = {
        name: value
        for name, value in parse(metrics.write().decode()).items()
        if name.startswith("gateway_warnings_total")
    }
    labels = 'model="ames",version="2"'
    garage = f'gateway_warnings_total{{fields="garage_cars,garage_type",{labels}}}'
    other = 'gateway_warnings_total{fields="other",model="other",version="other"}'
    assert series[garage] == 2
    assert series[f'gateway_warnings_total{{fields="",{labels}}}'] == 1
    assert len(series) == 200
    assert series[other] == 1 + 300 - 197


def test_state_of_the_circuit_is_shown(start_gateway: StartGateway, stub: StubServer) -> None:
    client = start_gateway(GATEWAY_BREAKER_FAILURES="1")
    closed = 'gateway_circuit_breaker_state{state="closed"}'
    opened = 'gateway_circuit_breaker_state{state="open"}'
    before = read(client)
    stub.behave = answer(500, b"")

    client.post("/process", json={"data": 1})

    after = read(client)
    assert (before[closed], before[opened]) == (1, 0)
    assert (after[closed], after[opened]) == (0, 1)


@pytest.mark.parametrize("state", list(CircuitState))
def test_circuit_is_in_one_state_at_a_time(state: CircuitState) -> None:
    metrics = Metrics(circuit_states=CircuitState)
    metrics.set_circuit(state)

    series: dict[str, Any] = parse(metrics.write().decode())
    states = {name: value for name, value in series.items() if "circuit" in name}
    assert states[f'gateway_circuit_breaker_state{{state="{state}"}}'] == 1
    assert sum(states.values()) == 1
