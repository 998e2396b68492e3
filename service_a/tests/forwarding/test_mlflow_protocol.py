import json

import pytest

from gateway.errors import BatchFailed, InputRejected, PredictorUnavailable
from gateway.forwarding.mlflow_protocol import MlflowProtocol
from gateway.intake.entries import Answer, Forward
from tests.fake_mlflow import COLUMN_MISSING, MODEL_FAILED, NULL_IN_WHOLE_NUMBERS

ONE = [Forward(b"[7.0,null]", "r1")]
TWO = [*ONE, Forward(b"[5.0,60]", "r2")]


@pytest.fixture
def protocol() -> MlflowProtocol:
    return MlflowProtocol("ames", ["OverallQual", "1stFlrSF"])


def price(value: float) -> Answer:
    return Answer(b'{"prediction":{"price":%s,"model":"ames"}}' % str(value).encode(), value, None)


def test_rows_are_written_as_one_frame(protocol: MlflowProtocol) -> None:
    path, body = protocol.write(TWO)

    assert path == "/invocations"
    assert json.loads(body) == {
        "dataframe_split": {"columns": ["OverallQual", "1stFlrSF"], "data": [[7, None], [5, 60]]}
    }


def test_prices_are_rounded_as_service_b_rounds_them(protocol: MlflowProtocol) -> None:
    body = b'{"predictions": [213910.23537289194, 165828]}'

    assert protocol.read(200, body, TWO) == [price(213910.24), price(165828.0)]


@pytest.mark.parametrize("value", [b"NaN", b"Infinity", b"null", b'"5"', b"true", b"[5]", b"1e999"])
def test_neighbour_is_answered_when_a_prediction_is_no_number(
    protocol: MlflowProtocol, value: bytes
) -> None:
    results = protocol.read(200, b'{"predictions": [%b, 6000.0]}' % value, TWO)

    assert results is not None
    assert isinstance(results[0], PredictorUnavailable)
    assert results[1] == price(6000.0)


def test_input_is_rejected_without_the_models_inside_when_the_model_fails_at_it(
    protocol: MlflowProtocol,
) -> None:
    (result,) = protocol.read(400, json.dumps(MODEL_FAILED).encode(), ONE) or []

    assert isinstance(result, InputRejected)
    assert result.problems == [
        {"type": "model_failed", "loc": [], "msg": "The model can't predict this input"}
    ]


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        (COLUMN_MISSING, r"doesn't fit the model: Model is missing inputs \['x'\]"),
        (NULL_IN_WHOLE_NUMBERS, "doesn't fit the model: 'IntCastingNaNError"),
    ],
)
def test_predictor_is_unavailable_when_the_frame_does_not_fit_the_model(
    protocol: MlflowProtocol, answer: object, reason: str
) -> None:
    with pytest.raises(PredictorUnavailable, match=reason):
        protocol.read(400, json.dumps(answer).encode(), ONE)


@pytest.mark.parametrize("status", [400, 500])
def test_batch_has_failed_when_only_one_of_its_rows_may_be_the_cause(
    protocol: MlflowProtocol, status: int
) -> None:
    with pytest.raises(BatchFailed):
        protocol.read(status, json.dumps(MODEL_FAILED).encode(), TWO)


def test_there_is_no_result_when_it_was_too_much_for_one_call(protocol: MlflowProtocol) -> None:
    assert protocol.read(413, b"<html>", TWO) is None


@pytest.mark.parametrize(
    ("status", "body", "reason"),
    [
        (404, b'{"detail":"Not Found"}', "status 404"),
        (413, b"", "status 413"),
        (500, b"", "status 500"),
        (504, b"", "status 504"),
        (400, b"<html>", "wrong shape"),
        (400, b'{"detail": "Bad request"}', "wrong shape: error_code: Field required"),
        (200, b"<html>It works!</html>", "wrong shape"),
        (200, b"[1]", "wrong shape"),
        (200, b'{"predictions": 5}', "wrong shape: predictions: Input should be a valid array"),
        (200, b'{"predictions": []}', "0 results for 1 inputs"),
        (200, b'{"predictions": [1, 2]}', "2 results for 1 inputs"),
        (200, b'{"predictions": [%b1]}' % (b"[]," * 150_000), "the answer is too large"),
    ],
)
def test_predictor_is_unavailable_when_its_answer_is_unusable(
    protocol: MlflowProtocol, status: int, body: bytes, reason: str
) -> None:
    with pytest.raises(PredictorUnavailable, match=reason):
        protocol.read(status, body, ONE)
