"""Both services as real processes: what a caller sees, also while Service B is down or hangs."""

import json
import re
import signal
import socket
import time
import uuid
from concurrent.futures import ThreadPoolExecutor
from html.parser import HTMLParser
from typing import Any

import pytest
import requests

from benchmarks.houses import find_version, read_card
from tests.running_lab import ROOT, WAIT_SECONDS, Lab, Service, wait_until

SERVICES = ["service_a", "service_b"]
UNAVAILABLE = {"detail": "Service B is unavailable"}


@pytest.fixture(scope="module")
def house() -> dict[str, Any]:
    """The example in the card of Service B's model."""
    return read_example("ames")


def read_example(model: str) -> dict[str, Any]:
    card = read_card(find_version(ROOT / "service_b/models" / model))
    example: dict[str, Any] = card["example"]
    return example


def process(lab: Lab, data: Any, request_id: str = "") -> requests.Response:
    request_id = request_id or uuid.uuid4().hex
    return requests.post(
        f"{lab.a.url}/process",
        json={"data": data},
        headers={"X-Request-ID": request_id},
        timeout=WAIT_SECONDS,
    )


def read_logged(lab: Lab, request_id: str) -> dict[str, Any]:
    (row,) = [row for row in lab.read_inputs() if row["request_id"] == request_id]
    return row


def test_house_gets_service_bs_price_when_it_is_sent_through_service_a(
    shared_lab: Lab, house: dict[str, Any]
) -> None:
    direct = requests.post(
        f"{shared_lab.b.url}/predict", json={"input": house}, timeout=WAIT_SECONDS
    )

    through = process(shared_lab, house, "of-a-house")

    assert (direct.status_code, through.status_code) == (200, 200)
    assert through.json() == {
        "status": "Input logged successfully",
        "model_prediction": direct.json(),
    }
    prediction = direct.json()["prediction"]
    assert prediction["interval"]["lower"] < prediction["price"] < prediction["interval"]["upper"]
    row = read_logged(shared_lab, "of-a-house")
    assert json.loads(row["data"]) == house
    assert row["outcome"] == "predicted"
    assert (row["price"], row["model_version"]) == (
        prediction["price"],
        prediction["model_version"],
    )


def test_category_in_any_spelling_has_the_price_of_the_exact_one_and_is_logged_as_it_was_sent(
    shared_lab: Lab,
) -> None:
    exact = {"neighborhood": "CollgCr", "street": "Pave"}
    spelled = {"neighborhood": " Collgcr", "street": "PAVE\t"}
    district = read_example("california")
    house = {"id": 1, "overallQual": 7, "grLivArea": 1710, "yearBuilt": 2003}

    def send(path: str, body: Any) -> Any:
        answer = requests.post(f"{shared_lab.a.url}{path}", json=body, timeout=WAIT_SECONDS)
        assert answer.status_code == 200
        return answer.json()

    def price(categories: dict[str, str], ocean_proximity: str) -> list[Any]:
        known = {**house, **categories}
        place = {**district, "ocean_proximity": ocean_proximity}
        return [
            send("/process", {"data": known}),
            send("/process", {"model": "california", "data": place}),
            send("/api/v1/price/predict", known),
            send("/api/v1/price/predict/batch", {"data": [known, known]}),
            send("/api/v1/predict", {"instances": [place]}),
        ]

    assert price(spelled, "near bay ") == price(exact, "NEAR BAY")

    rows = [json.loads(row["data"]) for row in shared_lab.read_inputs()][-12:-6]
    assert [row.get("neighborhood", row.get("ocean_proximity")) for row in rows] == [
        " Collgcr",
        "near bay ",
        *[" Collgcr"] * 3,
        "near bay ",
    ]


def test_request_id_is_the_same_everywhere(shared_lab: Lab, house: dict[str, Any]) -> None:
    request_id = uuid.uuid4().hex

    answer = process(shared_lab, house, request_id)

    assert answer.headers["X-Request-ID"] == request_id
    assert read_logged(shared_lab, request_id)["outcome"] == "predicted"
    assert "POST /process 200 " in shared_lab.a.read_request_line(request_id)
    assert "POST /predict 200 " in shared_lab.b.read_request_line(request_id)


def test_invalid_house_is_refused_in_the_callers_places_and_logged(shared_lab: Lab) -> None:
    request_id = uuid.uuid4().hex

    answer = process(shared_lab, {"overall_qual": True, "gr_liv_area": "big"}, request_id)

    assert answer.status_code == 422
    places = {tuple(problem["loc"]) for problem in answer.json()["detail"]}
    assert places >= {
        ("body", "data", "overall_qual"),
        ("body", "data", "gr_liv_area"),
        ("body", "data", "year_built"),
        ("body", "data", "neighborhood"),
    }
    assert read_logged(shared_lab, request_id)["outcome"] == "rejected"


def test_service_b_is_down_and_up_again(shared_lab: Lab, house: dict[str, Any]) -> None:
    shared_lab.b.kill()
    request_id = uuid.uuid4().hex
    started = time.monotonic()

    answer = process(shared_lab, house, request_id)

    assert time.monotonic() - started < 60  # the deadline is 3 s
    assert (answer.status_code, answer.json()) == (503, UNAVAILABLE)
    assert int(answer.headers["Retry-After"]) > 0
    row = read_logged(shared_lab, request_id)
    assert json.loads(row["data"]) == house
    assert row["outcome"] == "unavailable"
    assert requests.get(f"{shared_lab.a.url}/health", timeout=WAIT_SECONDS).status_code == 200

    shared_lab.b.start()
    wait_until(lambda: process(shared_lab, house).status_code == 200)


def test_service_a_stays_healthy_while_a_hundred_callers_wait_for_a_hung_service_b(
    shared_lab: Lab, house: dict[str, Any]
) -> None:
    ids = [f"hung-{number}" for number in range(100)]

    def count_pending() -> int:
        return sum(row["outcome"] == "pending" for row in shared_lab.read_inputs())

    shared_lab.b.signal(signal.SIGSTOP)
    try:
        with ThreadPoolExecutor(len(ids)) as callers:
            answers = [callers.submit(process, shared_lab, house, each) for each in ids]
            wait_until(lambda: count_pending() == len(ids))
            health = requests.get(f"{shared_lab.a.url}/health", timeout=WAIT_SECONDS)
            waiting = count_pending()
    finally:
        shared_lab.b.signal(signal.SIGCONT)

    assert (health.status_code, waiting) == (200, len(ids))
    assert [answer.result().status_code for answer in answers] == [503] * len(ids)
    assert all(answer.result().json() == UNAVAILABLE for answer in answers)
    outcomes = {row["request_id"]: row["outcome"] for row in shared_lab.read_inputs()}
    assert [outcomes[each] for each in ids] == ["unavailable"] * len(ids)
    wait_until(lambda: process(shared_lab, house).status_code == 200)


# Odd requests


def send_raw(service: Service, *chunks: bytes) -> bytes:
    """Send bytes as they are, and return all that comes back."""
    with socket.create_connection(("127.0.0.1", service.port), timeout=WAIT_SECONDS) as caller:
        for chunk in chunks:
            caller.sendall(chunk)
        answer = b""
        while received := caller.recv(65536):
            answer += received
    return answer


def choose(lab: Lab, name: str) -> Service:
    return lab.a if name == "service_a" else lab.b


@pytest.mark.parametrize("name", SERVICES)
def test_control_characters_can_not_forge_a_log_line(shared_lab: Lab, name: str) -> None:
    service = choose(shared_lab, name)
    marker = uuid.uuid4().hex
    forged = "%0D%0A00:00:00.000 level=ERROR event=forged%1B[2J%E2%80%A8".replace(" ", "%20")

    for path in (f"/{marker}{forged}", f"/{marker}%0Aline"):
        send_raw(service, f"GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n".encode())
    for value in (b"\x1b[2Jevent=forged", b'" event=forged', b"a\tevent=forged", b"\xff\x85"):
        answer = send_raw(
            service,
            b"GET /%b HTTP/1.1\r\nHost: x\r\nX-Request-ID: %b\r\nConnection: close\r\n\r\n"
            % (marker.encode(), value),
        )
        assert value not in answer

    # A thread writes the log lines, a moment after the answers.
    send_raw(
        service, b"GET /%b-last HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n" % marker.encode()
    )
    wait_until(lambda: f"{marker}-last" in service.read_output())
    output = service.read_output()
    assert "\x1b" not in output
    assert output.isascii()
    lines = output.splitlines()
    assert all(re.match(r"\d\d:\d\d:\d\d\.\d{3} (level=|[A-Z]+ )", line) for line in lines)
    assert not [line for line in lines if " event=forged" in re.sub(r'"(\\.|[^"\\])*"', "", line)]
    assert len([line for line in lines if marker in line]) >= 2


def nest(field: bytes, levels: int) -> bytes:
    return b'{"%b":' % field + b"[" * levels + b"]" * levels + b"}"


@pytest.mark.parametrize(("name", "path"), [("service_a", "/process"), ("service_b", "/predict")])
def test_every_odd_body_gets_a_4xx_that_says_what_was_expected(
    shared_lab: Lab, name: str, path: str
) -> None:
    service = choose(shared_lab, name)
    field = b"data" if name == "service_a" else b"input"
    values = [
        b"NaN",
        b"-Infinity",
        b"1e400",
        b'"\\ud800"',
        b"9" * 5000,
        b'{"overall_qual": 5, "overall_qual": 6}',
        b'"\xff"',
        b"[]",
        b'"a string"',
        b"true",
        b"1",
        b"null",
        b'{"overall_qual": true}',
        b'{"overall_qual": 1e400}',
        b"[" * 150 + b"]" * 150,
    ]
    bodies = [b'{"%b": %b}' % (field, value) for value in values]
    bodies += [b"", b" ", b"[]", b'"text"', b"null", b"{}", b"\xff\xfe", nest(field, 100_000)]

    answers = [
        requests.post(
            service.url + path,
            data=body,
            headers={"Content-Type": "application/json"},
            timeout=WAIT_SECONDS,
        )
        for body in bodies
    ]

    assert [answer.status_code for answer in answers] == [422] * len(bodies)
    for answer in answers:
        assert all(problem["msg"] and problem["loc"] for problem in answer.json()["detail"])
    other = requests.post(service.url + path, data=b"{}", timeout=WAIT_SECONDS)
    assert (other.status_code, other.json()["detail"]) == (
        415,
        "Content-Type must be application/json",
    )


@pytest.mark.parametrize("name", SERVICES)
def test_sender_of_too_large_a_body_sees_the_413(shared_lab: Lab, name: str) -> None:
    service = choose(shared_lab, name)
    path = "/process" if name == "service_a" else "/predict"

    answer = requests.post(
        service.url + path,
        data=b" " * 9_000_000,
        headers={"Content-Type": "application/json"},
        timeout=WAIT_SECONDS,
    )

    assert answer.status_code == 413


# Documentation


class _References(HTMLParser):
    """Collects what a page loads."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        wanted = {"script": "src", "link": "href", "img": "src"}.get(tag)
        self.found += [value for name, value in attrs if name == wanted and value]


@pytest.mark.parametrize("page", ["/docs", "/redoc"])
@pytest.mark.parametrize("name", SERVICES)
def test_documentation_page_loads_only_from_its_own_service(
    shared_lab: Lab, name: str, page: str
) -> None:
    service = choose(shared_lab, name)
    html = requests.get(service.url + page, timeout=WAIT_SECONDS).text
    references = _References()
    references.feed(html)

    assert len(references.found) >= 2
    for reference in references.found:
        assert re.match("/[^/]", reference), reference
        asset = requests.get(service.url + reference, timeout=WAIT_SECONDS)
        assert asset.status_code == 200, reference
        assert len(asset.content) > 100
    assert "://" not in re.sub(r"<!--.*?-->", "", html, flags=re.DOTALL)
    assert "/openapi.json" in html


def find_example(contract: dict[str, Any], path: str) -> Any:
    """The body that Swagger UI fills in: that of the route, or of each of its fields."""
    content = contract["paths"][path]["post"]["requestBody"]["content"]["application/json"]
    if "example" in content:
        return content["example"]
    if "examples" in content:
        return next(iter(content["examples"].values()))["value"]
    schema = contract["components"]["schemas"][content["schema"]["$ref"].rpartition("/")[2]]
    if "example" in schema:
        return schema["example"]
    return {name: schema["properties"][name]["examples"][0] for name in schema["required"]}


@pytest.mark.parametrize(
    ("name", "path"),
    [
        ("service_a", "/process"),
        ("service_a", "/api/v1/price/predict"),
        ("service_a", "/api/v1/predict"),
        ("service_b", "/predict"),
        ("service_b", "/predict/batch"),
    ],
)
def test_example_of_the_documentation_gets_a_price_when_sent_untouched(
    shared_lab: Lab, name: str, path: str
) -> None:
    service = choose(shared_lab, name)
    contract = requests.get(f"{service.url}/openapi.json", timeout=WAIT_SECONDS).json()

    answer = requests.post(
        service.url + path, json=find_example(contract, path), timeout=WAIT_SECONDS
    )

    assert answer.status_code == 200
    assert "price" in answer.text.lower()
