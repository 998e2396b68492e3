import json
from typing import Any

import pytest

from gateway.errors import (
    BatchFailed,
    BatchUnsupported,
    InputRejected,
    ModelUnknown,
    PredictorUnavailable,
)
from gateway.forwarding.answers import (
    MAX_ANSWER_BYTES,
    MAX_CONTAINERS,
    MAX_ONE_ANSWER_BYTES,
    read_answer,
    read_answers,
)
from gateway.intake.entries import Answer, Warnings
from tests.stub_server import PREDICTION, REJECTION


def write(content: object) -> bytes:
    return content if isinstance(content, bytes) else json.dumps(content).encode()


def price(value: object) -> dict[str, Any]:
    return {"prediction": {"price": value, "model_version": "1"}, "message": "m"}


def reject(*loc: str | int) -> dict[str, Any]:
    return {"detail": [{"type": "t", "loc": loc, "msg": "m"}]}


# One input


@pytest.mark.parametrize(
    ("prediction", "price"), [({"price": 5}, 5.0), ({"price": -1.5, "model_version": None}, -1.5)]
)
def test_model_version_may_be_missing(prediction: object, price: float) -> None:
    body = write({"prediction": prediction, "message": "m"})

    assert read_answer(200, body, None) == Answer(body, price, None)


@pytest.mark.parametrize("model", [None, "iris"])
@pytest.mark.parametrize(
    ("prediction", "kept"),
    [
        ('{"species": "setosa", "é": [1e400]}', '{"species":"setosa","é":[null]}'),
        ('{"price": null}', '{"price":null}'),
        ("{}", "{}"),
        ('{"text": "%s"}' % ("x" * 16_384), None),
    ],
)
def test_prediction_that_is_no_price_is_passed_on_and_kept_unless_it_is_too_long(
    prediction: str, kept: str | None, model: str | None
) -> None:
    body = f'{{"prediction": {prediction}}}'.encode()

    assert read_answer(200, body, model) == Answer(body, None, None, None, None, kept)


ODD = {"fields": ["garage_cars", "garage_type"], "msg": "Garage has 3 cars, but none"}


@pytest.mark.parametrize(
    ("warnings", "content", "fields"),
    [
        (
            [ODD | {"more": 1}, {"fields": [], "msg": "Unusual"}],
            '[{"fields":["garage_cars","garage_type"],"msg":"Garage has 3 cars, but none"},'
            '{"fields":[],"msg":"Unusual"}]',
            ["garage_cars,garage_type", ""],
        ),
        ([ODD | {"msg": "x" * 4096}], None, ["garage_cars,garage_type"]),
    ],
)
def test_warnings_are_passed_on_kept_unless_they_are_too_long_and_counted(
    warnings: object, content: str | None, fields: list[str]
) -> None:
    expected = Warnings(content, "ames", fields)
    document = {**PREDICTION, "warnings": warnings}
    body = write(document)

    one = read_answer(200, body, None)
    (many,) = read_answers(200, write({"results": [document]}), 1) or []

    assert isinstance(one, Answer)
    assert isinstance(many, Answer)
    assert (one.body, one.warnings) == (body, expected)
    assert (json.loads(many.body), many.warnings) == (document, expected)


@pytest.mark.parametrize(
    "warnings",
    [None, [], {}, "odd", [5], [{"fields": "all", "msg": ""}], [{"msg": ""}], [ODD] * 21],
)
def test_warnings_of_another_shape_are_passed_on_and_not_kept(warnings: object) -> None:
    body = write({**PREDICTION, "warnings": warnings})

    result = read_answer(200, body, None)

    assert isinstance(result, Answer)
    assert (result.body, result.price, result.warnings) == (body, 208500.0, None)


@pytest.mark.parametrize(
    ("loc", "expected"),
    [
        (["body", "input"], []),
        (["body", "input", "overall_qual"], ["overall_qual"]),
        (["body", "input", "rooms", 2, "input"], ["rooms", 2, "input"]),
    ],
)
def test_place_of_a_problem_is_one_within_the_input(
    loc: list[str | int], expected: list[str | int]
) -> None:
    result = read_answer(422, write(reject(*loc)), None)

    assert isinstance(result, InputRejected)
    assert result.problems == [{"type": "t", "loc": expected, "msg": "m"}]


def test_problem_keeps_all_that_service_b_says_of_it() -> None:
    result = read_answer(422, write(REJECTION), None)

    assert isinstance(result, InputRejected)
    assert result.problems == [{**REJECTION["detail"][0], "loc": ["overall_qual"]}]


@pytest.mark.parametrize(
    ("status", "content"),
    [
        (422, {"detail": [{"type": "too_many_values", "loc": ["body"], "msg": "m"}]}),
        (413, {"detail": "The body is over the limit of 8388608 bytes"}),
        (413, b"<html>"),
    ],
)
def test_input_beyond_the_limits_of_service_b_is_rejected(status: int, content: object) -> None:
    result = read_answer(status, content if isinstance(content, bytes) else write(content), None)

    assert isinstance(result, InputRejected)
    assert [problem["loc"] for problem in result.problems] == [[]]


def test_unknown_model_is_only_one_that_was_named() -> None:
    body = write({"detail": "There is no model 'x'"})

    result = read_answer(404, body, "x")

    assert isinstance(result, ModelUnknown)
    assert str(result) == "There is no model 'x'"
    with pytest.raises(PredictorUnavailable, match="status 404"):
        read_answer(404, body, None)


# Everything else that can come back, and a part of what the log says of it.
FAILURES: dict[str, tuple[int, object, str]] = {
    "201": (201, PREDICTION, "status 201"),
    "302": (302, PREDICTION, "status 302"),
    "500": (500, {"detail": "Internal error"}, "status 500"),
    "503": (503, {"detail": "Model is not available"}, "status 503"),
    "HTML": (200, b"<html>It works!</html>", "not JSON"),
    "empty": (200, b"", "not JSON"),
    "truncated JSON": (200, b'{"prediction": {"price": 1', "not JSON"),
    "NaN": (200, b'{"prediction": {"price": NaN}, "message": "m"}', "not JSON"),
    "duplicate key": (
        200,
        b'{"prediction": {"price": 1, "price": 2}, "message": "m"}',
        "not JSON",
    ),
    "invalid UTF-8": (200, b'{"message": "\xff"}', "not JSON"),
    "deep": (200, b"[" * 100_000, "not JSON"),
    "huge": (200, b" " * (MAX_ONE_ANSWER_BYTES + 1), "the answer is too large"),
    "crowded": (200, price(1) | {"x": [[]] * MAX_CONTAINERS}, "the answer is too large"),
    "422 that is crowded": (422, [{}] * MAX_CONTAINERS, "the answer is too large"),
    "price beyond floats": (
        200,
        b'{"prediction": {"price": 1e400}, "message": "m"}',
        "wrong shape: prediction.price",
    ),
    "price as text": (200, price("208500"), "wrong shape: prediction.price"),
    "price as truth": (200, price(True), "wrong shape: prediction.price"),
    "prediction missing": (200, {"message": "m"}, "wrong shape: prediction"),
    "bare number": (200, {"prediction": 5.0}, "wrong shape: prediction"),
    "null": (200, None, "wrong shape"),
    "list": (200, [PREDICTION], "wrong shape"),
    "version too long": (
        200,
        {"prediction": {"price": 1, "model_version": "x" * 65}, "message": "m"},
        "wrong shape: prediction.model_version",
    ),
    "version that no log takes": (
        200,
        {"prediction": {"price": 1, "model_version": "1\0"}, "message": "m"},
        "wrong shape: prediction.model_version",
    ),
    "422 without a list": (422, {"detail": "wrong"}, "wrong shape: detail"),
    "422 without a problem": (422, {"detail": []}, "wrong shape: detail"),
    "422 about something else": (422, reject("body", "x"), "wrong shape: loc"),
    "422 about the body": (422, reject("body"), "wrong shape: loc"),
    "422 in HTML": (422, b"<html>", "not JSON"),
}


@pytest.mark.parametrize(("status", "content", "reason"), FAILURES.values(), ids=FAILURES.keys())
def test_predictor_is_unavailable_when_its_answer_is_unusable(
    status: int, content: object, reason: str
) -> None:
    with pytest.raises(PredictorUnavailable) as raised:
        read_answer(status, write(content), None)

    assert reason in str(raised.value)


@pytest.mark.parametrize("content", [b"<html>", {}, {"detail": []}])
def test_predictor_is_unavailable_when_something_else_knows_no_such_page(content: object) -> None:
    with pytest.raises(PredictorUnavailable):
        read_answer(404, write(content), "ames")


# Many inputs


def test_each_input_gets_its_own_result() -> None:
    results = [
        price(1),
        {"error": reject("body", "inputs", 1, "overall_qual")},
        price("no number"),
        {"error": reject("body", "inputs", 0)},
        {"error": "wrong"},
        {},
        PREDICTION,
    ]

    read = read_answers(200, write({"results": results}), 7)

    assert read is not None
    assert [type(result) for result in read] == [
        Answer,
        InputRejected,
        PredictorUnavailable,
        PredictorUnavailable,
        PredictorUnavailable,
        PredictorUnavailable,
        Answer,
    ]
    first, rejected, last = read[0], read[1], read[6]
    assert isinstance(first, Answer)
    assert (json.loads(first.body), first.price, first.model_version) == (price(1), 1.0, "1")
    assert isinstance(rejected, InputRejected)
    assert rejected.problems[0]["loc"] == ["overall_qual"]
    assert isinstance(last, Answer)
    assert json.loads(last.body) == PREDICTION


def test_answer_of_a_batch_is_json_when_it_holds_a_number_beyond_floats() -> None:
    body = b'{"results":[{"prediction":{"price":1,"x":1e400},"message":"m"},{}]}'

    result, _ = read_answers(200, body, 2) or []

    assert isinstance(result, Answer)
    assert json.loads(result.body) == {"prediction": {"price": 1, "x": None}, "message": "m"}


@pytest.mark.parametrize(
    ("status", "body"),
    [
        (413, b""),
        (422, b""),
        (200, b" " * (MAX_ANSWER_BYTES + 1)),
        (200, b'{"results":[{},{"x":[%b[]]}]}' % (b"[]," * MAX_CONTAINERS)),
    ],
)
def test_there_is_no_result_when_it_was_too_much_for_one_call(status: int, body: bytes) -> None:
    assert read_answers(status, body, 2) is None


def test_result_of_a_batch_may_be_no_larger_than_an_answer_by_itself() -> None:
    large = price(1) | {"x": "x" * MAX_ONE_ANSWER_BYTES}

    results = read_answers(200, write({"results": [large, price(1)]}), 2) or []

    assert [type(result) for result in results] == [PredictorUnavailable, Answer]


def test_batch_has_failed_when_service_b_failed_at_it() -> None:
    with pytest.raises(BatchFailed):
        read_answers(500, write({"detail": "Internal error"}), 2)


@pytest.mark.parametrize("status", [404, 405])
def test_batch_is_unsupported_when_service_b_has_no_such_route(status: int) -> None:
    with pytest.raises(BatchUnsupported, match=f"status {status}"):
        read_answers(status, b"<html>", 2)


BATCH_FAILURES: dict[str, tuple[int, object, str]] = {
    "501": (501, {"detail": "Not Implemented"}, "status 501"),
    "500": (500, {"detail": "Internal error"}, "status 500"),
    "HTML": (200, b"<html>", "not JSON"),
    "too few": (200, {"results": [price(1)]}, "1 results for 2 inputs"),
    "too many": (200, {"results": [price(1)] * 3}, "3 results for 2 inputs"),
    "no object": (200, {"results": [price(1), 2]}, "wrong shape: results.1"),
    "no list": (200, {"results": {}}, "wrong shape: results"),
    "one answer": (200, PREDICTION, "wrong shape: results"),
}


@pytest.mark.parametrize(
    ("status", "content", "reason"), BATCH_FAILURES.values(), ids=BATCH_FAILURES.keys()
)
def test_predictor_is_unavailable_when_its_answer_to_a_batch_is_unusable(
    status: int, content: object, reason: str
) -> None:
    with pytest.raises(PredictorUnavailable, match=reason):
        read_answers(status, write(content), 2)
