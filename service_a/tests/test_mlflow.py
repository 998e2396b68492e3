"""The gateway in front of a model server that speaks MLflow's protocol."""

from pathlib import Path
from typing import Any

import pytest
from starlette.testclient import TestClient

from gateway.app import create_app
from gateway.settings import SettingsError, load_settings
from gateway.web.schemas import EXAMPLE_HOUSE, HOUSE
from tests.conftest import StartGateway
from tests.fake_mlflow import FakeMlflow
from tests.log_file import read_inputs
from tests.stub_server import StubServer, answer

MANY = "/api/v1/price/predict/batch"


@pytest.fixture
def server(stub: StubServer) -> FakeMlflow:
    stub.behave = server = FakeMlflow()
    return server


@pytest.fixture
def client(start_gateway: StartGateway, stub: StubServer, server: FakeMlflow) -> TestClient:
    assert server.frames == []
    return start_gateway(SERVICE_B_PROTOCOL="mlflow", SERVICE_B_URL=f"{stub.url}/invocations")


def test_price_is_passed_on_and_logged_with_no_version_which_mlflow_does_not_say(
    client: TestClient, log_path: Path
) -> None:
    reply = client.post("/process", json={"data": EXAMPLE_HOUSE})

    prediction = {"price": 1718.55, "model": "ames"}
    assert reply.json() == {
        "status": "Input logged successfully",
        "model_prediction": {"prediction": prediction},
    }
    (row,) = read_inputs(log_path)
    assert (row["outcome"], row["price"], row["model_version"]) == ("predicted", 1718.55, None)


def test_prices_of_the_public_contract_are_those_of_the_model_server(
    client: TestClient, server: FakeMlflow
) -> None:
    prices = {1000: 1005.0, 2000: 2010.0, 3000: 3015.0}
    houses = [{**HOUSE, "grLivArea": area, "id": area} for area in prices]
    houses[1]["fireplaceQu"] = None

    one = client.post("/api/v1/price/predict", json=houses[0])
    many = client.post(MANY, json={"data": houses})

    expected = [{"id": area, "predictedPrice": price} for area, price in prices.items()]
    assert one.json() == expected[0]
    assert many.json() == {"predictions": expected}
    assert [len(rows) for rows in server.frames] == [1, 2, 1]


@pytest.mark.parametrize(
    ("path", "body", "place"),
    [
        ("/process", {"data": {**EXAMPLE_HOUSE, "lotArea": 1}}, ["body", "data", "lotArea"]),
        ("/process", {"data": {**EXAMPLE_HOUSE, "grLivArea": 666}}, ["body", "data"]),
        (MANY, {"data": [HOUSE, {**HOUSE, "grLivArea": 666}]}, ["body", "data", 1]),
    ],
)
def test_wrong_input_is_a_422_with_its_place_and_nothing_of_the_servers_inside(
    client: TestClient, log_path: Path, path: str, body: dict[str, Any], place: list[object]
) -> None:
    reply = client.post(path, json=body)

    assert reply.status_code == 422
    assert [problem["loc"] for problem in reply.json()["detail"]] == [place]
    assert "Traceback" not in reply.text
    assert read_inputs(log_path)[-1]["outcome"] == "rejected"


def test_server_is_asked_at_the_start_whether_it_is_there(
    client: TestClient, stub: StubServer, capsys: pytest.CaptureFixture[str]
) -> None:
    assert [request.line for request in stub.received] == ["GET /ping HTTP/1.1\r\n"]
    assert "doesn't answer" not in capsys.readouterr().out
    assert client.get("/health").status_code == 200


def test_start_goes_on_and_says_why_when_the_server_does_not_answer_as_one(
    start_gateway: StartGateway,
    stub: StubServer,
    free_port: int,
    capsys: pytest.CaptureFixture[str],
) -> None:
    stub.behave = answer(404, {"detail": "Not Found"})

    for url in (stub.url, f"http://127.0.0.1:{free_port}"):
        client = start_gateway(SERVICE_B_PROTOCOL="mlflow", SERVICE_B_URL=url)
        assert client.get("/health").status_code == 200

    lines = [line for line in capsys.readouterr().out.splitlines() if "doesn't answer" in line]
    assert len(lines) == 2
    assert 'reason="status 404"' in lines[0]
    assert "refused" in lines[1]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (None, "No such file"),
        ("{", "Invalid JSON"),
        ('{"name": "ames", "features": []}', "features: Tuple should have at least 1 item"),
        (
            '{"name": "ames", "features": [{"name": "a", "column": "A", "kind": "text"}]}',
            r"features\.0\.kind: Input should be 'number', 'integer', 'category' or 'identifier'",
        ),
    ],
)
def test_start_is_stopped_with_the_place_when_the_file_of_columns_is_of_no_use(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, content: str | None, message: str
) -> None:
    file = tmp_path / "columns.json"
    if content is not None:
        file.write_text(content)
    monkeypatch.setenv("SERVICE_B_PROTOCOL", "mlflow")
    monkeypatch.setenv("GATEWAY_MLFLOW_COLUMNS", str(file))

    with pytest.raises(SettingsError, match=f"GATEWAY_MLFLOW_COLUMNS: .*{message}"):
        create_app(load_settings())


@pytest.mark.parametrize(("model", "warnings"), [("california", 1), ("ames", 0)])
@pytest.mark.usefixtures("server")
def test_start_says_so_when_no_instance_can_be_priced(
    start_gateway: StartGateway,
    capsys: pytest.CaptureFixture[str],
    model: str,
    warnings: int,
) -> None:
    client = start_gateway(SERVICE_B_PROTOCOL="mlflow", GATEWAY_INSTANCES_MODEL=model)
    reply = client.post("/api/v1/predict", json={"instances": [EXAMPLE_HOUSE]})

    assert reply.status_code == (503 if warnings else 200)
    line = 'event="/api/v1/predict answers only 503" GATEWAY_INSTANCES_MODEL=california served=ames'
    assert capsys.readouterr().out.count(line) == warnings


def test_instances_are_priced_without_an_interval_when_the_server_has_their_model(
    start_gateway: StartGateway, stub: StubServer, tmp_path: Path
) -> None:
    stub.behave = answer(200, {"predictions": [452600.004, 5]})
    file = tmp_path / "columns.json"
    file.write_text(
        '{"name": "california",'
        ' "features": [{"name": "rooms", "column": "rooms", "kind": "integer"}]}'
    )
    client = start_gateway(SERVICE_B_PROTOCOL="mlflow", GATEWAY_MLFLOW_COLUMNS=str(file))

    reply = client.post("/api/v1/predict", json={"instances": [{"rooms": 880}, {"rooms": 7}]})

    assert reply.json() == {
        "predictions": [
            {"predicted_price": price, "confidence_interval": None} for price in (452600.0, 5.0)
        ],
        "model_version": None,
    }


def test_columns_of_another_model_are_read_from_the_file_that_is_named(
    start_gateway: StartGateway, stub: StubServer, tmp_path: Path
) -> None:
    stub.behave = answer(200, {"predictions": [5]})
    file = tmp_path / "columns.json"
    file.write_text(
        '{"name": "iris", "features": [{"name": "width", "column": "W (cm)", "kind": "number"}]}'
    )
    client = start_gateway(SERVICE_B_PROTOCOL="mlflow", GATEWAY_MLFLOW_COLUMNS=str(file))

    reply = client.post("/process", json={"data": {"width": 1.5}, "model": "iris"})

    assert reply.json()["model_prediction"] == {"prediction": {"price": 5.0, "model": "iris"}}
    assert stub.received[-1].body == b'{"dataframe_split":{"columns":["W (cm)"],"data":[[1.5]]}}'
