import re
import socket
import threading
from pathlib import Path

import pytest
from starlette.testclient import TestClient

from gateway.app import create_app
from gateway.settings import load_settings
from tests.conftest import StartGateway
from tests.log_file import read_inputs
from tests.stub_server import CERTIFICATES, StubServer


def test_application_opens_nothing_before_it_starts(
    monkeypatch: pytest.MonkeyPatch, log_path: Path
) -> None:
    monkeypatch.setenv("INPUT_LOG_URL", f"sqlite:///{log_path}")
    threads = threading.active_count()

    create_app(load_settings())

    assert not log_path.parent.exists()
    assert threading.active_count() == threads


def test_log_is_closed_and_threads_are_ended_when_the_application_stops(
    monkeypatch: pytest.MonkeyPatch, log_path: Path
) -> None:
    monkeypatch.setenv("INPUT_LOG_URL", f"sqlite:///{log_path}")
    threads = threading.active_count()

    with TestClient(create_app(load_settings())) as client:
        client.post("/process", json={"data": 1, "forward_to_model": False})

    assert threading.active_count() == threads
    # SQLite removes these when the last connection is closed.
    assert [path.name for path in log_path.parent.iterdir()] == [log_path.name]
    assert len(read_inputs(log_path)) == 1


def test_application_starts_without_service_b_and_without_a_log(
    start_gateway: StartGateway, log_path: Path, free_port: int
) -> None:
    log_path.parent.write_text("a file in the folder's place")
    client = start_gateway(SERVICE_B_URL=f"http://127.0.0.1:{free_port}")

    assert client.get("/").status_code == 200
    assert client.get("/health").status_code == 503


@pytest.mark.parametrize("plain", ["1", "sqlite_writer", "joined_sends"])
def test_input_is_logged_and_forwarded_in_the_plain_way_as_well(
    start_gateway: StartGateway, log_path: Path, plain: str
) -> None:
    client = start_gateway(LAB_PLAIN=plain)

    for _ in range(3):
        assert client.post("/process", json={"data": {"a": 1}}).status_code == 200

    assert [(row["data"], row["outcome"]) for row in read_inputs(log_path)] == [
        ('{"a":1}', "predicted")
    ] * 3


@pytest.mark.parametrize("plain", ["0", "joined_sends"])
def test_service_b_is_called_by_https_when_its_certificate_is_trusted(
    start_gateway: StartGateway, plain: str
) -> None:
    stub = StubServer("https")
    try:
        client = start_gateway(
            SERVICE_B_URL=stub.url.replace("https", "HTTPS"),
            SERVICE_B_CA_FILE=str(CERTIFICATES / "ca.pem"),
            LAB_PLAIN=plain,
        )
        for _ in range(3):
            assert client.post("/process", json={"data": 1}).status_code == 200

        assert len({request.connection for request in stub.received}) == 1
    finally:
        stub.close()


def test_every_route_is_in_the_contract_with_its_errors(client: TestClient) -> None:
    paths = client.get("/openapi.json").json()["paths"]

    assert {"/", "/health", "/process"} <= paths.keys()
    assert {"200", "408", "413", "415", "422", "503"} <= paths["/process"]["post"][
        "responses"
    ].keys()
    assert {"200", "503"} <= paths["/health"]["get"]["responses"].keys()


@pytest.mark.parametrize("page", ["/docs", "/redoc"])
def test_documentation_needs_no_internet(client: TestClient, page: str) -> None:
    html = client.get(page).text
    assets = re.findall(r'(?:src|href)="([^"]+)"', html)

    assert assets
    assert all(asset.startswith("/static-offline-docs/") for asset in assets)
    assert all(client.get(asset).status_code == 200 for asset in assets)


def test_nothing_is_called_before_the_first_forward(start_gateway: StartGateway) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.settimeout(0)
        client = start_gateway(SERVICE_B_URL=f"http://127.0.0.1:{listener.getsockname()[1]}")
        client.get("/health")
        client.post("/process", json={"data": 1, "forward_to_model": False})

        with pytest.raises(BlockingIOError):
            listener.accept()
