"""Service A holds to what `service_b_contract.json` says that it needs of Service B."""

import copy
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from gateway.errors import (
    BatchFailed,
    BatchUnsupported,
    InputRejected,
    ModelUnknown,
    PredictorUnavailable,
)
from gateway.forwarding.answers import MAX_ANSWER_BYTES, MAX_CONTAINERS, MAX_ONE_ANSWER_BYTES
from gateway.forwarding.predict_protocol import PredictProtocol
from gateway.intake.entries import Answer, Forward
from gateway.settings import MODEL_NAME

CONTRACT: Any = json.loads(
    (Path(__file__).parents[1] / "service_b_contract.json").read_text(encoding="utf-8")
)
# The paths that Service A calls, by the inputs and the model of the call.
CALLS: dict[str, list[Forward]] = {
    f"{prefix}/predict{batch}": [Forward(b"{}", "r1", model)] * inputs
    for prefix, model in (("", None), ("/models/{name}", "x"))
    for batch, inputs in (("", 1), ("/batch", 2))
}


def read(path: str, status: str, content: object) -> list[Any] | None:
    return PredictProtocol().read(int(status), json.dumps(content).encode(), CALLS[path])


def list_examples() -> Iterator[tuple[str, str, Any]]:
    for path, methods in CONTRACT["paths"].items():
        for status, response in methods["post"]["responses"].items():
            content = response.get("content", {"application/json": {"examples": {"": {}}}})
            for example in content["application/json"]["examples"].values():
                yield path, status, example.get("value")


def test_calls_are_those_of_the_contract() -> None:
    assert CONTRACT["paths"].keys() == CALLS.keys()
    for path, forwards in CALLS.items():
        written, body = PredictProtocol().write(forwards)
        operation = CONTRACT["paths"][path]["post"]
        schema = operation["requestBody"]["content"]["application/json"]["schema"]["$ref"]
        required = CONTRACT["components"]["schemas"][schema.rpartition("/")[2]]["required"]
        assert written == path.replace("{name}", "x")
        assert list(json.loads(body)) == required


def test_names_of_models_are_those_that_service_a_takes() -> None:
    (name,) = CONTRACT["paths"]["/models/{name}/predict"]["parameters"]
    assert name["schema"]["pattern"] == MODEL_NAME


def test_bounds_are_those_of_service_a() -> None:
    said = CONTRACT["info"]["description"]
    assert f"over {MAX_ANSWER_BYTES // 1024**2} MiB," in said
    assert f"over {MAX_ONE_ANSWER_BYTES // 1024**2} MiB to one input" in said
    assert f"more than {MAX_CONTAINERS:,} objects and arrays" in said


@pytest.mark.parametrize(("path", "status", "content"), [*list_examples()])
def test_every_answer_of_the_contract_is_understood(path: str, status: str, content: Any) -> None:
    kinds = {"200": Answer, "422": InputRejected, "404": ModelUnknown}
    errors = {"404": BatchUnsupported, "405": BatchUnsupported, "500": BatchFailed}
    if not path.endswith("/batch"):
        (result,) = read(path, status, content) or []
        assert type(result) is kinds[status]
    elif status == "200":
        results = read(path, status, content) or []
        assert [type(result) for result in results] == [Answer, InputRejected]
    elif status in errors:
        with pytest.raises(errors[status]):
            read(path, status, content)
    else:
        assert read(path, status, content) is None


def list_members(
    content: Any, place: tuple[str | int, ...] = ()
) -> Iterator[tuple[str | int, ...]]:
    """List the places of all members of an answer."""
    parts = content.items() if isinstance(content, dict) else enumerate(content)
    for key, value in parts:
        yield (*place, key)
        if isinstance(value, dict | list):
            yield from list_members(value, (*place, key))


def is_required(place: tuple[str | int, ...]) -> bool:
    """Say whether one of the contract's schemas requires the member there."""
    required = {
        name
        for each in CONTRACT["components"]["schemas"].values()
        for name in each.get("required", [])
    }
    inside = re.search(r"prediction|input|ctx|warnings", ".".join(map(str, place[:-1])))
    return place[-1] in required and not inside


@pytest.mark.parametrize(
    ("path", "status", "content"),
    [each for each in list_examples() if each[2] is not None and each[1] == "200"],
)
def test_only_what_the_contract_requires_can_not_be_left_out(
    path: str, status: str, content: Any
) -> None:
    for place in list_members(content):
        if isinstance(place[-1], int):
            continue
        shortened = copy.deepcopy(content)
        part = shortened
        for key in place[:-1]:
            part = part[key]
        del part[place[-1]]
        try:
            results = read(path, status, shortened) or []
            failed = any(isinstance(each, PredictorUnavailable) for each in results)
        except PredictorUnavailable:
            failed = True
        assert failed == is_required(place), place
