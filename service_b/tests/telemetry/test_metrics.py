import re
from pathlib import Path
from typing import Any

import pytest
from fastapi.testclient import TestClient

from tests.conftest import WriteVersion


def read(client: TestClient) -> dict[str, float]:
    """Return the value of each series, by its name with its labels."""
    text = client.get("/metrics").text
    return {
        name: float(value)
        for name, value in re.findall(r"^([^# ][^ ]*|[^#{]+\{.*\}) (\S+)$", text, re.MULTILINE)
    }


def test_predictions_are_counted_by_model_and_version(
    client: TestClient, house: dict[str, Any]
) -> None:
    client.post("/predict", json={"input": house})
    client.post("/predict/batch", json={"inputs": [house, house, {}]})
    client.post("/predict", json={"input": {}})

    series = read(client)
    labels = '{model="tiny",version="1"}'
    assert series[f"predictor_predictions_total{labels}"] == 3
    assert series[f"predictor_batch_size_sum{labels}"] == 3
    assert series[f"predictor_predict_seconds_count{labels}"] == 2
    answered = 'http_requests_total{method="POST",route="/predict",status="422"}'
    assert series[answered] == 1


def test_prices_that_are_answered_are_watched(client: TestClient, house: dict[str, Any]) -> None:
    answers = [
        client.post("/predict", json={"input": house | {"overall_qual": quality}}).json()
        for quality in (3, 9)
    ]
    batch = client.post("/predict/batch", json={"inputs": [house, {}]}).json()
    prices = [each["prediction"]["price"] for each in [*answers, batch["results"][0]]]

    series = read(client)
    labels = '{model="tiny",version="1"}'
    assert series[f"predictor_price_count{labels}"] == 3
    assert series[f"predictor_price_sum{labels}"] == pytest.approx(sum(prices), abs=0.02)
    assert series[f"predictor_price_smallest{labels}"] == pytest.approx(min(prices), abs=0.01)
    assert series[f"predictor_price_largest{labels}"] == pytest.approx(max(prices), abs=0.01)


def test_errors_are_counted_by_kind(client: TestClient, house: dict[str, Any]) -> None:
    before = read(client)
    client.post("/predict", json={"input": {}})
    client.post("/predict/batch", json={"inputs": [{}, house, {"overall_qual": 11}]})
    client.post("/invocations", json={"inputs": {}})
    client.post("/invocations?model=nobody", json={"inputs": {}})
    client.post("/models/nobody/predict", json={"input": house})
    client.post("/predict", content=b"{}")

    after = read(client)
    prefix = "predictor_errors_total"
    errors = {name: after[name] - before[name] for name in after if name.startswith(prefix)}
    assert errors == {
        f'{prefix}{{kind="{kind}"}}': number
        for kind, number in {
            "invalid_input": 4,
            "model_not_found": 2,
            "model_unavailable": 0,
            "body_refused": 1,
            "overloaded": 0,
            "foreign_page": 0,
            "internal": 0,
        }.items()
    }


def test_calls_without_a_model_are_errors_of_their_own_kind(empty_client: TestClient) -> None:
    empty_client.post("/predict", json={"input": {}})
    empty_client.post("/invocations", json={"inputs": {}})
    assert read(empty_client)['predictor_errors_total{kind="model_unavailable"}'] == 2


def test_paths_that_no_route_takes_are_one_series(client: TestClient) -> None:
    for number in range(5):
        client.get(f"/no/such/{number}")

    unknown = 'http_requests_total{method="GET",route="unknown",status="404"}'
    assert read(client)[unknown] == 5


def test_swaps_and_refused_versions_are_counted(
    client: TestClient, write_version: WriteVersion
) -> None:
    write_version("2")
    client.post("/reload")
    (write_version("3") / "model.joblib").write_bytes(b"no pickle")
    client.post("/reload")
    client.post("/reload")

    series = read(client)
    assert series['predictor_swaps_total{model="tiny"}'] == 2
    assert series['predictor_refused_candidates_total{model="tiny"}'] == 1


def test_swaps_of_aliases_are_counted_by_their_names(
    client: TestClient, models_folder: Path
) -> None:
    alias = models_folder / "tiny" / "alias.json"
    alias.write_text('{"champion": "1", "aliases": {"challenger": "1"}}')
    client.post("/reload")
    assert read(client)['predictor_swaps_total{model="tiny@challenger"}'] == 1
