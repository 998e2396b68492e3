from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from fastapi.testclient import TestClient
from httpx2 import Response
from starlette.types import Receive, Scope, Send

from predictor.app import create_app
from predictor.settings import Settings

pytestmark = pytest.mark.usefixtures("plain")


@pytest.mark.parametrize("path", ["/predict", "/predict/batch"])
@pytest.mark.parametrize("content_type", ["text/plain", "application/x-www-form-urlencoded"])
def test_content_type_other_than_json_is_415(
    client: TestClient, path: str, content_type: str
) -> None:
    answer = client.post(path, content=b"{}", headers={"Content-Type": content_type})
    assert answer.status_code == 415
    assert answer.json() == {"detail": "Content-Type must be application/json"}


def test_missing_content_type_is_415(client: TestClient) -> None:
    assert client.post("/predict", content=b"{}").status_code == 415


def test_body_over_the_limit_is_413(
    settings: Settings, write_version: Callable[..., Path], house: dict[str, Any]
) -> None:
    write_version()
    small = settings.model_copy(update={"max_body_bytes": 1024})
    with TestClient(create_app(small)) as client:
        answer = client.post("/predict", json={"input": house | {"colour": "x" * 1024}})
        assert client.post("/predict", json={"input": house}).status_code == 200
    assert answer.status_code == 413
    assert answer.json() == {"detail": "The body is over the limit of 1024 bytes"}
    assert answer.headers["Connection"] == "close"


@pytest.fixture
def failing(settings: Settings) -> Iterator[TestClient]:
    """The service with a class that raises where a number is below zero."""
    settings.models.write_text(
        "models: [{name: failing, default: true, parameters: {factor: 2},"
        " class_path: tests.inference.test_python_model.Failing}]"
    )
    with TestClient(create_app(settings)) as client:
        yield client


@pytest.mark.parametrize(
    ("path", "frame"),
    [
        ("/predict", '{"input": %s}'),
        ("/predict/batch", '{"inputs": [{"value": 1}, %s]}'),
        ("/models/failing/predict", '{"input": %s}'),
        ("/models/failing/predict/batch", '{"inputs": [%s]}'),
        ("/invocations", '{"dataframe_records": [%s]}'),
    ],
)
def test_prediction_that_fails_is_a_500_without_its_reason_and_the_next_one_succeeds(
    failing: TestClient, path: str, frame: str
) -> None:
    def predict(value: int) -> Response:
        content = frame.replace("%s", f'{{"value": {value}}}')
        return failing.post(path, content=content, headers={"Content-Type": "application/json"})

    for value in (-1, -2, -3):
        answer = predict(value)
        assert (answer.status_code, answer.json()) == (500, {"detail": "Internal error"})
    assert predict(4).status_code == 200
    described = failing.get("/openapi.json").json()["paths"][path]["post"]["responses"]["500"]
    assert described["content"]["application/json"]["schema"]["$ref"].endswith("/ErrorAnswer")


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [("GET", "/nothing", 404), ("GET", "/predict", 405), ("POST", "/health", 405)],
)
def test_unknown_route_keeps_the_shape_of_errors(
    client: TestClient, method: str, path: str, status: int
) -> None:
    answer = client.request(method, path)
    assert answer.status_code == status
    assert isinstance(answer.json()["detail"], str)
    assert answer.headers["X-Request-ID"]


def test_body_that_those_of_others_leave_no_room_for_is_to_come_later(client: TestClient) -> None:
    async def call(scope: Scope, receive: Receive, send: Send) -> None:
        scope["state"]["over_budget"] = True
        await client.app(scope, receive, send)

    reply = TestClient(call).post("/predict", json={"input": {}})

    assert (reply.status_code, reply.json()) == (503, {"detail": "Too much is under way"})
    assert reply.headers["Retry-After"] == "5"


def test_body_that_does_not_arrive_in_time_is_408(client: TestClient) -> None:
    async def call(scope: Scope, receive: Receive, send: Send) -> None:
        scope["state"]["late"] = True
        await client.app(scope, receive, send)

    reply = TestClient(call).post("/predict", json={"input": {}})

    assert (reply.status_code, reply.json()) == (
        408,
        {"detail": "The body did not arrive in time"},
    )
    assert reply.headers["Connection"] == "close"
