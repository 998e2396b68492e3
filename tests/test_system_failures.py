"""Service A in front of something that answers in Service B's place, but not as B does."""

from collections.abc import Iterator

import pytest
import requests

from tests.running_lab import WAIT_SECONDS, Lab
from tests.stub_predictor import PREDICTION, Reply, StubPredictor


@pytest.fixture(scope="module")
def stub() -> Iterator[StubPredictor]:
    stub = StubPredictor()
    yield stub
    stub.close()


@pytest.fixture(scope="module")
def gateway_of_module(
    tmp_path_factory: pytest.TempPathFactory, stub: StubPredictor
) -> Iterator[Lab]:
    settings = {
        "SERVICE_B_URL": f"{stub.url}/predict",
        "GATEWAY_BREAKER_FAILURES": "1000",  # each test is to reach the stub
    }
    lab = Lab(tmp_path_factory.mktemp("lab"), service_a=settings)
    try:
        lab.a.start()
        yield lab
    finally:
        lab.stop()


@pytest.fixture
def gateway(gateway_of_module: Lab, stub: StubPredictor) -> Iterator[Lab]:
    yield gateway_of_module
    stub.reply = None
    gateway_of_module.print_output()


# What is answered, and a part of the reason in Service A's log line.
REPLIES: dict[str, tuple[Reply, str]] = {
    "500": (Reply(500, b'{"detail": "Traceback: secret.py"}'), "status 500"),
    "503": (Reply(503, b'{"detail": "Model is not available"}'), "status 503"),
    "404": (Reply(404, b'{"detail": "Not Found"}'), "status 404"),
    "garbage": (Reply(200, b"\x00\xff secret"), "not JSON"),
    "HTML": (Reply(200, b"<html>secret</html>", {"Content-Type": "text/html"}), "not JSON"),
    "wrong shape": (Reply(200, b'{"predictions": ["secret"]}'), "wrong shape"),
    "price as text": (Reply(200, b'{"prediction": {"price": "1"}, "message": "secret"}'), "price"),
    "redirect": (Reply(302, b"", {"Location": "http://secret.example.org/"}), "status 302"),
    "redirect to nowhere": (Reply(302, b"", {"Location": "http://["}), "status 302"),
}


@pytest.mark.parametrize(("reply", "reason"), REPLIES.values(), ids=REPLIES.keys())
def test_caller_gets_a_503_without_a_word_of_the_cause(
    gateway: Lab, stub: StubPredictor, reply: Reply, reason: str
) -> None:
    stub.reply = reply
    request_id = f"failure-{len(gateway.read_inputs())}"

    answer = requests.post(
        f"{gateway.a.url}/process",
        json={"data": {"a": 1}},
        headers={"X-Request-ID": request_id},
        timeout=WAIT_SECONDS,
    )

    assert (answer.status_code, answer.json()) == (503, {"detail": "Service B is unavailable"})
    assert int(answer.headers["Retry-After"]) > 0
    told = f"{answer.headers} {answer.text}"
    assert not [word for word in ("secret", "127.0.0.1", str(stub.server_port)) if word in told]
    row = gateway.read_inputs()[-1]
    assert (row["request_id"], row["data"], row["outcome"]) == (
        request_id,
        '{"a": 1}',
        "unavailable",
    )
    assert reason in gateway.a.read_request_line(request_id)


def test_service_a_needs_no_restart_after_all_these(gateway: Lab) -> None:
    answer = requests.post(
        f"{gateway.a.url}/process", json={"data": {"a": 1}}, timeout=WAIT_SECONDS
    )

    assert answer.json()["model_prediction"] == PREDICTION
