"""Service A in front of model servers that speak MLflow's protocol: the prices are Service B's.

Service B speaks it, too. `.ci/run mlflow` adds `mlflow models serve` itself, of a version that is
logged as `python -m training --mlflow` logs it.
"""

import os
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import requests
from pydantic.alias_generators import to_camel

from benchmarks.houses import find_version, read_card
from benchmarks.server import Server
from tests.running_lab import ROOT, WAIT_SECONDS, Lab, Service

VERSION = find_version(ROOT / "service_b/models/ames")
PACKAGES = ROOT / "tests/mlflow/requirements.in"
PROGRAMS = ROOT / "tests/mlflow/.venv/bin"

LOG_VERSION = """
import sys
from pathlib import Path

import mlflow

from training.tracking import log_version

log_version(sys.argv[1], Path(sys.argv[2]))
print(Path(mlflow.pyfunc.get_model_dependencies("models:/ames@champion")).read_text())
"""

READ_SPANS = """
import sys, time

import mlflow

deadline = time.monotonic() + 60
trace = None
while (trace is None or len(trace.data.spans) < 8) and time.monotonic() < deadline:
    time.sleep(0.2)
    trace = mlflow.get_trace(sys.argv[1], silent=True)
names = {each.span_id: each.name for each in trace.data.spans}
print(*(f"{names.get(each.parent_id)} > {each.name}" for each in trace.data.spans), sep="\\n")
"""

needs_mlflow = pytest.mark.skipif(
    os.environ.get("MLFLOW_TESTS") != "1", reason="needs MLflow: .ci/run mlflow"
)

MINIMUM = {"overall_qual": 7, "gr_liv_area": 1710, "year_built": 2003, "neighborhood": "CollgCr"}


def read_houses() -> list[dict[str, Any]]:
    """Return houses of which all is known, or little; some have no garage, and say so."""
    card = read_card(VERSION)
    nothing = {each["name"]: None for each in card["features"] if each["nullable"]}
    golden = [each["input"] for each in card["golden"]]
    return [card["example"], MINIMUM, {**MINIMUM, **nothing}, {**MINIMUM, "alley": None}, *golden]


def log_model(folder: Path) -> str:
    """Log the version to a store in the folder, and return the store's address."""
    uri = f"sqlite:///{folder}/mlflow.db"
    command: list[str | Path] = [PROGRAMS / "python", "-c", LOG_VERSION, uri, VERSION]
    environment = os.environ | {"PYTHONPATH": str(ROOT / "service_b")}
    logged = subprocess.run(
        command, cwd=folder, env=environment, capture_output=True, text=True, timeout=300
    )
    assert logged.returncode == 0, logged.stderr
    # What the venv has is what the model says that it needs.
    needed = set(re.findall(r"^([a-z-]+)(?:==|$)", logged.stdout, re.MULTILINE))
    installed = set(re.findall(r"^[a-z-]+$", PACKAGES.read_text(), re.MULTILINE))
    assert needed == installed
    return uri


@pytest.fixture(scope="module")
def service_b(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    service = Service("service_b", tmp_path_factory.mktemp("service_b") / "service_b.log", {})
    service.start()
    yield service
    assert service.stop() == 0


@pytest.fixture(
    scope="module",
    params=[
        "service_b",
        pytest.param("mlflow", marks=needs_mlflow),
    ],
)
def model_server(
    request: pytest.FixtureRequest,
    service_b: Service,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[str]:
    """Return the address of a model server of `ames`."""
    if request.param == "service_b":
        yield service_b.url
        return
    folder = tmp_path_factory.mktemp("mlflow")
    options = ["--env-manager", "local", "--workers", "1", "--port", "{port}"]
    server = Server(
        "mlflow",
        [PROGRAMS / "mlflow", "models", "serve", "-m", "models:/ames@champion", *options],
        cwd=folder,
        output=folder / "mlflow.log",
        # It starts uvicorn by its name.
        environment={
            "MLFLOW_TRACKING_URI": log_model(folder),
            "PATH": f"{PROGRAMS}:{os.environ['PATH']}",
        },
        health="/ping",
    )
    try:
        server.start()
        yield server.url
    finally:
        server.stop()


@pytest.fixture(scope="module")
def gateway(model_server: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    folder = tmp_path_factory.mktemp("gateway")
    gateway = Service(
        "service_a",
        folder / "service_a.log",
        {
            "SERVICE_B_PROTOCOL": "mlflow",
            "SERVICE_B_URL": model_server,
            "INPUT_LOG_URL": f"sqlite:///{folder}/inputs.db",
            "GATEWAY_FORWARD_TIMEOUT_SECONDS": "20",
        },
    )
    gateway.start()
    yield gateway
    print(gateway.read_output()[-10_000:])  # noqa: T201 - pytest shows it only for a failure
    assert gateway.stop() == 0


def post(url: str, body: dict[str, Any]) -> dict[str, Any]:
    answer = requests.post(url, json=body, timeout=WAIT_SECONDS)
    assert answer.status_code == 200, answer.text
    content: dict[str, Any] = answer.json()
    return content


def test_each_house_has_the_price_that_service_b_gives_it(
    gateway: Service, service_b: Service
) -> None:
    assert "doesn't answer" not in gateway.read_output()
    for house in read_houses():
        answer = post(f"{gateway.url}/process", {"data": house})
        theirs = post(f"{service_b.url}/predict", {"input": house})["prediction"]
        prediction = {"price": theirs["price"], "model": "ames"}
        assert answer["model_prediction"] == {"prediction": prediction}


def test_houses_of_a_batch_have_the_prices_that_service_b_gives_them(
    gateway: Service, service_b: Service
) -> None:
    houses = [
        {**{to_camel(name): value for name, value in house.items()}, "id": number}
        for number, house in enumerate(read_houses() * 3, start=1)
    ]

    prices = post(f"{gateway.url}/api/v1/price/predict/batch", {"data": houses})["predictions"]

    theirs = post(f"{service_b.url}/predict/batch", {"inputs": houses})["results"]
    assert prices == [
        {"id": house["id"], "predictedPrice": their["prediction"]["price"]}
        for house, their in zip(houses, theirs, strict=True)
    ]


def test_house_that_no_model_server_would_refuse_is_refused(gateway: Service) -> None:
    house = {**MINIMUM, "overall_qual": 99, "heating": "Sun", "colour": "red"}

    answer = requests.post(f"{gateway.url}/process", json={"data": house}, timeout=WAIT_SECONDS)

    assert answer.status_code == 422
    places = {tuple(problem["loc"]) for problem in answer.json()["detail"]}
    assert places == {("body", "data", name) for name in ("overall_qual", "heating", "colour")}


@needs_mlflow
def test_mlflow_shows_the_trace_of_a_request_through_both_services(tmp_path: Path) -> None:
    trace_id = "0af7651916cd43dd8448eb211c80319c"
    viewer = Server(
        "mlflow",
        [PROGRAMS / "mlflow", "server", "--workers", "1", "--port", "{port}"],
        cwd=tmp_path,
        output=tmp_path / "mlflow.log",
        environment={
            "PATH": f"{PROGRAMS}:{os.environ['PATH']}",
            "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false",
        },
    )
    try:
        viewer.start()
        environment = {
            "OTEL_EXPORTER_OTLP_ENDPOINT": viewer.url,
            "OTEL_EXPORTER_OTLP_HEADERS": "x-mlflow-experiment-id=0",
            "OTEL_BSP_SCHEDULE_DELAY": "100",
        }
        lab = Lab(tmp_path, service_a=environment, service_b=environment)
        with lab.running():
            requests.post(
                f"{lab.a.url}/process",
                json={"data": MINIMUM},
                headers={"traceparent": f"00-{trace_id}-b7ad6b7169203331-01"},
                timeout=30,
            ).raise_for_status()
            shown = subprocess.check_output(
                [PROGRAMS / "python", "-c", READ_SPANS, f"tr-{trace_id}"],
                env={"PATH": os.environ["PATH"], "MLFLOW_TRACKING_URI": viewer.url},
                text=True,
            )
    finally:
        viewer.stop()
    assert {*shown.splitlines()} == {
        "None > POST /process",
        "POST /process > read",
        "POST /process > log",
        "POST /process > wait",
        "POST /process > predict",
        "predict > POST /predict",
        "POST /predict > check",
        "POST /predict > predict",
    }
