from typing import Any

from prometheus_client import CollectorRegistry, generate_latest
from starlette.testclient import TestClient

from gateway.input_log.quality import Coverage, VersionQuality
from gateway.telemetry.quality_gauges import QualityGauges
from tests.conftest import StartGateway
from tests.telemetry.test_metrics import parse, read


def test_each_figure_is_a_gauge() -> None:
    gauges = QualityGauges()
    registry = CollectorRegistry()
    registry.register(gauges)
    coverage = Coverage(0.75, 0.5, 0.9)
    gauges.versions = [
        VersionQuality("ames", "1", 9, 4, 0.25, 0.2, -0.1, 0.5, coverage),
        VersionQuality(None, None, 3),
    ]

    series = parse(generate_latest(registry).decode())

    figures = {
        "predicted": 9,
        "with_actual": 4,
        "mape": 0.25,
        "median_ape": 0.2,
        "bias": -0.1,
        "within_10_percent": 0.5,
        "coverage": 0.75,
        "coverage_lower": 0.5,
        "coverage_upper": 0.9,
    }
    labels = '{model="ames",version="1"}'
    assert series == {
        **{f"gateway_quality_{name}{labels}": value for name, value in figures.items()},
        'gateway_quality_predicted{model="",version=""}': 3,
        'gateway_quality_with_actual{model="",version=""}': 0,
    }


def predict(client: TestClient) -> None:
    client.post("/process", json={"data": 1})
    client.post("/actuals", json={"actuals": [{"number": 1, "price": 417000.0}]})


def find_quality(series: dict[str, Any]) -> dict[str, float]:
    return {name: value for name, value in series.items() if name.startswith("gateway_quality_")}


def test_quality_is_among_the_metrics(client: TestClient) -> None:
    predict(client)

    found = find_quality(read(client))

    assert found['gateway_quality_mape{model="",version="1"}'] == 0.5
    assert found['gateway_quality_predicted{model="",version="1"}'] == 1


def test_metrics_come_without_the_quality_while_the_log_can_not_be_read(
    start_gateway: StartGateway,
) -> None:
    client = start_gateway(INPUT_LOG_URL="sqlite:////dev/null/inputs.db")

    assert find_quality(read(client)) == {}
