import pytest

from gateway.forwarding.predict_protocol import PredictProtocol
from gateway.intake.entries import Forward


@pytest.mark.parametrize(
    ("model", "data", "path", "body"),
    [
        (None, [b"1"], "/predict", b'{"input":1}'),
        (None, [b"1", b'"a"'], "/predict/batch", b'{"inputs":[1,"a"]}'),
        ("ames", [b"1"], "/models/ames/predict", b'{"input":1}'),
        ("ames", [b"1", b"2"], "/models/ames/predict/batch", b'{"inputs":[1,2]}'),
    ],
)
def test_path_names_the_model_and_the_body_has_each_input_as_it_was_sent(
    model: str | None, data: list[bytes], path: str, body: bytes
) -> None:
    assert PredictProtocol().write([Forward(each, "r", model) for each in data]) == (path, body)
