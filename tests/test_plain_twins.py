"""Both services as real processes, fast and plain: a caller can't see which one answers."""

import http.client
import json
import re
import socket
from collections.abc import Iterator
from typing import Any, NamedTuple

import pytest

from tests.running_lab import WAIT_SECONDS, Lab, Service

SETTINGS_A = {
    "GATEWAY_API_KEYS": "first,second",
    "GATEWAY_CORS_ORIGINS": "https://a.example",
    "GATEWAY_MAX_BODY_BYTES": "4096",
    "GATEWAY_BODY_TIMEOUT_SECONDS": "0.5",
    "PREDICTOR_API_KEY": "inner",
}
SETTINGS_B = {
    "PREDICTOR_API_KEY": "inner",
    "PREDICTOR_MAX_BODY_BYTES": "4096",
    "PREDICTOR_BODY_TIMEOUT_SECONDS": "0.5",
}
KEYS = {"a": "second", "b": "inner"}

HOUSE = {"overall_qual": 7, "gr_liv_area": 1710, "year_built": 2003, "neighborhood": "CollgCr"}
PUBLIC_HOUSE = {
    "id": 1,
    "overallQual": 7,
    "grLivArea": 1710,
    "yearBuilt": 2003,
    "neighborhood": "CollgCr",
}
SPELLED = {"neighborhood": " COLLGCR", "street": "pave"}
DISTRICT = {
    "longitude": -122.23,
    "latitude": 37.88,
    "housing_median_age": 41,
    "total_rooms": 880,
    "population": 322,
    "households": 126,
    "median_income": 8.3252,
    "ocean_proximity": "NEAR BAY",
}
BAD_HOUSE = {**HOUSE, "gr_liv_area": -1, "overal_cond": 5}
PREFLIGHT = {"Origin": "https://a.example", "Access-Control-Request-Method": "POST"}
BROKEN = ["", "{", "[]", "null", '{"data": NaN}', '{"data": 1, "data": 2}', '"a:b"', "[" * 300]


class Call(NamedTuple):
    service: str
    method: str
    path: str
    body: Any = None
    headers: dict[str, str] = {}  # noqa: RUF012 - nobody changes it


def post(service: str, path: str, body: Any, **headers: str) -> Call:
    return Call(service, "POST", path, body, {"Content-Type": "application/json", **headers})


def list_calls() -> Iterator[Call]:
    """Calls good and bad, of every way to be answered."""
    pages = [
        "/",
        "/health",
        "/docs",
        "/redoc",
        "/openapi.json",
        "/nothing",
        "/process/",
        "/inputs/x",
    ]
    hot = {
        "a": [
            "/process",
            "/api/v1/price/predict",
            "/api/v1/price/predict/batch",
            "/api/v1/predict",
        ],
        "b": ["/predict", "/predict/batch", "/models/ames/predict", "/invocations"],
    }
    for service, paths in hot.items():
        yield from (Call(service, method, path) for path in pages for method in ("GET", "HEAD"))
        yield Call(service, "GET", "/", headers={"X-API-Key": "wrong"})
        for path in paths:
            for method in ("GET", "HEAD", "OPTIONS", "PUT", "DELETE", "TRACE"):
                yield Call(service, method, path)
            yield Call(service, "OPTIONS", path, headers={**PREFLIGHT, "X-API-Key": ""})
            yield from (post(service, path, body) for body in BROKEN)
            yield Call(service, "POST", path, "{}", {"Content-Type": "text/plain"})
            yield Call(service, "POST", path, "{}")
            yield post(service, path, {"data": "x" * 5000})
            yield post(service, path, {}, **{"X-API-Key": "wrong"})
            yield post(service, path, {}, Origin="https://a.example")
            yield post(service, path, {}, Origin="https://b.example")
            yield post(service, path, {}, **{"Content-Encoding": "gzip"})
            yield post(service, path, "\xef\xbb\xbf{}")  # a byte order mark, in Latin-1
            yield post(service, f"{path}?modle=ames", {})
    yield Call("a", "POST", "/inputs/replay", headers={"Origin": "https://b.example"})
    yield Call("b", "POST", "/reload", headers={"Origin": "https://b.example"})
    for forward in (True, False):
        yield post("a", "/process", {"data": HOUSE, "forward_to_model": forward})
        yield post("a", "/process", {"data": BAD_HOUSE, "forward_to_model": forward})
    yield post("a", "/process", '{"data": 1e400, "forward_to_model": false}')
    yield post("a", "/process", {"data": {"a": "b:c"}, "forward_to_modle": True})
    yield post("a", "/process", {"data": HOUSE, "model": "nosuch"})
    yield post("a", "/api/v1/price/predict", PUBLIC_HOUSE)
    yield post("a", "/api/v1/price/predict", {**PUBLIC_HOUSE, "yearBuild": 1})
    yield post("a", "/api/v1/price/predict/batch", {"data": [PUBLIC_HOUSE] * 3})
    yield post("a", "/api/v1/price/predict/batch", {"data": [PUBLIC_HOUSE, {}]})
    yield post("a", "/api/v1/predict", {"instances": [DISTRICT] * 3})
    yield post("a", "/api/v1/predict", {"instances": [DISTRICT, {}, 7]})
    for path in ("/predict", "/models/ames/predict", "/models/nosuch/predict"):
        yield post("b", path, {"input": HOUSE})
        yield post("b", path, {"input": BAD_HOUSE})
    yield post("b", "/predict/batch", {"inputs": [HOUSE, BAD_HOUSE, 7, {**HOUSE, **SPELLED}]})
    yield post("b", "/predict", {"input": {**HOUSE, **SPELLED}})
    yield post("a", "/api/v1/price/predict", {**PUBLIC_HOUSE, **SPELLED})
    yield post("b", "/invocations", {"dataframe_records": [{"OverallQual": 7}]})


@pytest.fixture(scope="module")
def labs(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Lab]]:
    labs = {}
    for name, plain in (("fast", "0"), ("plain", "1")):
        labs[name] = Lab(
            tmp_path_factory.mktemp(name),
            service_a={**SETTINGS_A, "LAB_PLAIN": plain},
            service_b={**SETTINGS_B, "LAB_PLAIN": plain},
        )
        labs[name].start()
    yield labs
    for lab in labs.values():
        lab.stop()


def find_service(lab: Lab, name: str) -> Service:
    return lab.a if name == "a" else lab.b


def answer(lab: Lab, call: Call) -> tuple[int, str, list[tuple[str, str]], bytes]:
    """Return all of an answer that isn't its own."""
    port = find_service(lab, call.service).port
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=WAIT_SECONDS)
    body = call.body if isinstance(call.body, str | None) else json.dumps(call.body)
    headers = {"Host": "lab", "X-API-Key": KEYS[call.service], **call.headers}
    connection.request(call.method, call.path, body, headers)
    answer = connection.getresponse()
    content = answer.read()
    connection.close()
    own = ("date", "x-request-id")
    shown = [
        (name, drop_own(value)) for name, value in answer.getheaders() if name.lower() not in own
    ]
    return answer.status, answer.reason, shown, content


def send_half(lab: Lab, name: str, path: str, *, request_id: str) -> socket.socket:
    """Send a request without the end of its body."""
    service = find_service(lab, name)
    caller = socket.create_connection(("127.0.0.1", service.port), timeout=WAIT_SECONDS)
    headers = {
        "Host": "lab",
        "X-API-Key": KEYS[name],
        "X-Request-ID": request_id,
        "Content-Type": "application/json",
        "Content-Length": "100",
    }
    lines = [f"POST {path} HTTP/1.1", *(f"{name}: {value}" for name, value in headers.items())]
    caller.sendall(("\r\n".join(lines) + "\r\n\r\n{").encode())
    return caller


def read_to_end(caller: socket.socket) -> bytes:
    with caller:
        return b"".join(iter(lambda: caller.recv(65536), b""))


def drop_own(text: str) -> str:
    """Drop from an answer or a log line what differs from one request to the next."""
    return re.sub(r"date: [^\r]*|^[\d:]{8}\.\d{3} |[\d.]+ms | trace=\S+|;dur=[\d.]+", "", text)


def test_answers_are_the_same(labs: dict[str, Lab]) -> None:
    statuses = set()
    for call in list_calls():
        fast = answer(labs["fast"], call)
        assert answer(labs["plain"], call) == fast, call
        statuses.add(fast[0])
    assert statuses >= {200, 400, 401, 403, 404, 405, 413, 415, 422}


@pytest.mark.parametrize(("name", "path"), [("a", "/process"), ("b", "/predict")])
def test_a_body_that_does_not_arrive_is_answered_in_the_same_way(
    labs: dict[str, Lab], name: str, path: str
) -> None:
    fast, plain = (
        drop_own(read_to_end(send_half(lab, name, path, request_id="late")).decode())
        for lab in labs.values()
    )

    assert fast.startswith("HTTP/1.1 408 ")
    assert plain == fast


@pytest.mark.parametrize(("name", "path"), [("a", "/process"), ("b", "/predict")])
def test_a_caller_that_leaves_is_logged_in_the_same_way(
    labs: dict[str, Lab], name: str, path: str
) -> None:
    lines = []
    for lab in labs.values():
        send_half(lab, name, path, request_id="left").close()
        lines.append(drop_own(find_service(lab, name).read_request_line("left")))

    assert f"POST {path} 0 " in lines[0]
    assert "disconnected=true" in lines[0]
    assert lines[1] == lines[0]
