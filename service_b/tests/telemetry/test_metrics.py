import re
from pathlib import Path
from typing import Any

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
