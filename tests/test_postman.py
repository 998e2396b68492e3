"""The Postman collection has every call, and the answers saved in it are real.

After a change that alters answers, `UPDATE_DOCUMENTATION=1` saves the new ones.
"""

import json
import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import requests

from tests.documentation.answer import find_differences, parse
from tests.documentation.request import read_curl_requests
from tests.running_lab import ROOT, WAIT_SECONDS, Lab

COLLECTION = ROOT / "docs/postman_collection.json"
ENDLESS = {("GET", "/lab/events")}  # Postman would wait for its end
TOO_LONG = {"The card of ames", "The page that shows what happens", "Metrics"}
# Times that it took, or that are left.
_VARYING_FIELDS = {"duration_ms", "seconds"}
# Times, request ids, cursors.
_VARYING = re.compile(r"\d{4}-\d\d-\d\dT.*|postman-\d+|[0-9a-f]{32}|\d{16}-\d+")


def read_collection() -> dict[str, Any]:
    collection: dict[str, Any] = json.loads(COLLECTION.read_text(encoding="utf-8"))
    return collection


def list_requests(collection: dict[str, Any]) -> Iterator[dict[str, Any]]:
    for folder in collection["item"]:
        yield from folder["item"]


def list_calls() -> set[tuple[str, str]]:
    """Return the methods and paths of the collection, without the addresses and the filters."""
    return {
        (item["request"]["method"], re.sub(r"^{{\w+}}|\?.*$", "", item["request"]["url"]["raw"]))
        for item in list_requests(read_collection())
    }


def send(request: dict[str, Any], variables: dict[str, str]) -> requests.Response:
    def fill_in(text: str) -> str:
        return re.sub(r"{{(\w+)}}", lambda found: variables[found[1]], text)

    return requests.request(
        request["method"],
        fill_in(request["url"]["raw"]),
        headers={each["key"]: fill_in(each["value"]) for each in request["header"]},
        data=fill_in(request["body"]["raw"]).encode() if "body" in request else None,
        timeout=WAIT_SECONDS,
    )


def save(request: dict[str, Any], answer: requests.Response) -> dict[str, Any]:
    """Return an answer as Postman keeps it beside its request."""
    kept = ("Content-Type", "Retry-After")
    text = answer.text
    # MLflow's ping and version say that they are JSON.
    is_json = text.startswith("{")
    if is_json and text.count("\n") == 0:
        text = json.dumps(answer.json(), indent=2, ensure_ascii=False)
    return {
        "name": f"{answer.status_code} {answer.reason}",
        "originalRequest": {key: value for key, value in request.items() if key != "description"},
        "status": answer.reason,
        "code": answer.status_code,
        "_postman_previewlanguage": "json" if is_json else "text",
        "header": [
            {"key": key, "value": answer.headers[key]} for key in kept if key in answer.headers
        ],
        "body": text,
    }


def read_body(saved: dict[str, Any]) -> Any:
    """Return what must be the same each time."""
    if saved["_postman_previewlanguage"] == "json":
        return leave_out_varying(parse(saved["body"]))
    return saved["body"]


def leave_out_varying(value: Any) -> Any:
    if isinstance(value, dict):
        return {
            key: leave_out_varying(each)
            for key, each in value.items()
            if key not in _VARYING_FIELDS
        }
    if isinstance(value, list):
        return [leave_out_varying(each) for each in value]
    return "varies" if isinstance(value, str) and _VARYING.fullmatch(value) else value


def test_every_saved_answer_is_what_comes_when_the_collection_is_sent(tmp_path: Path) -> None:
    collection = read_collection()
    lab = Lab(tmp_path, service_a={"LAB_FAULTS": "1"}, service_b={"LAB_FAULTS": "1"})
    variables = {
        "service_a_url": lab.a.url,
        "service_b_url": lab.b.url,
        "request_id": "postman-1",
    }
    differences: list[str] = []
    try:
        lab.start()
        for item in list_requests(collection):
            answer = send(item["request"], variables)
            if item["name"] in TOO_LONG:
                assert answer.status_code == 200
                assert "response" not in item
                continue
            came = save(item["request"], answer)
            [shown] = item.get("response") or [came | {"code": None}]
            for key in ("originalRequest", "code", "header"):
                differences += find_differences(shown[key], came[key], f"{item['name']}: {key}")
            differences += find_differences(read_body(shown), read_body(came), item["name"])
            item["response"] = [came]
    finally:
        lab.stop()
    if differences and os.environ.get("UPDATE_DOCUMENTATION"):
        text = json.dumps(collection, indent=2, ensure_ascii=False)
        COLLECTION.write_text(f"{text}\n", encoding="utf-8")
    assert not differences, "\n".join(differences)


def matches(call: tuple[str, str], path: str) -> bool:
    """Say whether a path of the collection is one that a table writes with {names}."""
    pattern = re.sub(r"\\{\w+\\}", "[^/]+", re.escape(call[1]))
    return re.fullmatch(pattern, path) is not None


def test_the_collection_has_every_call_of_the_contracts() -> None:
    table = (ROOT / "README.md").read_text(encoding="utf-8").partition("## The contracts")[2]
    wanted = set(re.findall(r"`(GET|POST|PUT|DELETE) (/\S*)`", table.partition("## Settings")[0]))
    assert len(wanted) > 30
    calls = list_calls()
    missing = [
        call
        for call in wanted - ENDLESS
        if not any(method == call[0] and matches(call, path) for method, path in calls)
    ]
    assert missing == [], missing


def test_the_collection_has_every_call_of_the_walkthrough() -> None:
    text = (ROOT / "docs/walkthrough.md").read_text(encoding="utf-8")
    blocks = re.findall(r"^```bash\n(.*?)^```", text, re.MULTILINE | re.DOTALL)
    walked = {
        (request.method, re.sub(r"^http://localhost:\d+|\?.*$", "", request.url))
        for block in blocks
        for request in read_curl_requests(block)
    }
    assert len(walked) > 20
    own = {("GET", "/inputs/my-first-trace"): ("GET", "/inputs/{{request_id}}")}
    assert {own.get(call, call) for call in walked - ENDLESS} <= list_calls()
