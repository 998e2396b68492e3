import json
import re

import pytest
from starlette.testclient import TestClient

from gateway.telemetry.trace import read_trace
from tests.conftest import StartGateway
from tests.stub_server import StubServer

TRACE = "0af7651916cd43dd8448eb211c80319c"
PARENT = f"00-{TRACE}-b7ad6b7169203331-01"


def test_trace_of_the_caller_is_continued_with_a_span_of_our_own() -> None:
    trace = read_trace("r1", PARENT)

    assert re.fullmatch(f"00-{TRACE}-[0-9a-f]{{16}}-01", trace.traceparent)
    assert trace.span_id != "b7ad6b7169203331"


@pytest.mark.parametrize(
    "given",
    [
        "",
        "x",
        PARENT.upper(),
        f"ff-{TRACE}-b7ad6b7169203331-01",
        f"00-{'0' * 32}-b7ad6b7169203331-01",
        f"00-{TRACE}-{'0' * 16}-01",
        f"00-{TRACE}-b7ad6b7169203331",
        f"00-{TRACE}-b7ad6b7169203331-01x",
    ],
)
def test_new_trace_is_begun_when_the_callers_is_not_sane(given: str) -> None:
    trace = read_trace("r1", given)

    assert re.fullmatch("[0-9a-f]{32}", trace.trace_id)
    assert trace.trace_id != TRACE


def test_trace_of_a_later_version_is_continued() -> None:
    assert read_trace("r1", f"01-{TRACE}-b7ad6b7169203331-00-more").trace_id == TRACE


def test_ids_made_here_are_in_order_of_time() -> None:
    ids = [read_trace("", "").request_id for _ in range(100)]

    assert ids == sorted(ids)


def test_trace_reaches_service_b_and_the_log_line(
    start_gateway: StartGateway, stub: StubServer, capsys: pytest.CaptureFixture[str]
) -> None:
    client: TestClient = start_gateway(LOG_FORMAT="json")

    client.post("/process", json={"data": 1}, headers={"traceparent": PARENT})

    assert stub.received[0].headers["traceparent"].split("-")[1] == TRACE
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    (line,) = [line for line in lines if line["logger"] == "gateway.request"]
    assert (line["trace_id"], line["path"], line["status"]) == (TRACE, "/process", 200)
    assert line["outcome"] == "predicted"
