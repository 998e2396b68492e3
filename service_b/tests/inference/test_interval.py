"""The interval of an answer: constant, adaptive or none."""

import hashlib
import math
from collections.abc import Callable
from io import BytesIO
from pathlib import Path
from typing import Any

import joblib
import numpy as np
import numpy.typing as npt
import pytest
from fsspec.implementations.local import LocalFileSystem  # type: ignore[import-untyped]
from pydantic import ValidationError
from sklearn.dummy import DummyRegressor

from predictor.card import Interval, ModelCard
from predictor.errors import ModelRefused
from predictor.inference.card_model import Model, describe
from predictor.inference.prediction import Prediction, PredictionInterval
from predictor.inference.registered_model import load_registered
from predictor.version import Folder

ARTIFACT = {"file": "spread.joblib", "sha256": "0" * 64}
WriteVersion = Callable[..., Path]


class FakeEstimator:
    """Gives the area of the first floor, times a factor."""

    def __init__(self, factor: float) -> None:
        self._factor = factor

    def predict(self, rows: npt.NDArray[np.object_]) -> npt.NDArray[np.float64]:
        return np.array([row[0] * self._factor for row in rows], dtype=np.float64)


def predict(card: dict[str, Any], house: dict[str, Any], spread: float | None = None) -> Any:
    model = Model(
        ModelCard.model_validate(card),
        FakeEstimator(100),
        None if spread is None else FakeEstimator(spread),
    )
    (prediction,) = model.predict([model.input_type.model_validate(house)])
    return prediction


def test_interval_is_as_wide_as_the_spread_says_times_the_factor(
    card_content: dict[str, Any], house: dict[str, Any]
) -> None:
    card = card_content | {"interval": {"coverage": 0.9, "log_scale": 1.5, "artifact": ARTIFACT}}
    for area in (1000, 2000):
        prediction = predict(card, house | {"first_flr_sf": area}, spread=0.0001)
        half_width = 1.5 * 0.0001 * area
        assert isinstance(prediction.interval, PredictionInterval)
        assert prediction.interval.coverage == 0.9
        assert prediction.interval.lower == pytest.approx(area * 100 * math.exp(-half_width))
        assert prediction.interval.upper == pytest.approx(area * 100 * math.exp(half_width))


@pytest.mark.parametrize("width", [0.0, -0.1, math.nan, math.inf])
def test_spread_without_a_positive_width_is_an_error(
    card_content: dict[str, Any], house: dict[str, Any], width: float
) -> None:
    card = card_content | {"interval": {"coverage": 0.9, "log_scale": 1.5, "artifact": ARTIFACT}}
    with pytest.raises(ValueError, match="one finite positive width"):
        predict(card, house, spread=width)


def test_model_without_an_interval_answers_with_the_price_alone(
    card_content: dict[str, Any], house: dict[str, Any]
) -> None:
    del card_content["interval"]
    prediction = predict(card_content, house | {"first_flr_sf": 1000})
    assert prediction.interval is None
    assert describe(prediction.price, "USD", None) == "Predicted price: $100,000"


@pytest.mark.parametrize(
    "width",
    [
        {},
        {"log_scale": 1.1},
        {"artifact": ARTIFACT},
        {"log_half_width": 0.1, "log_scale": 1.1, "artifact": ARTIFACT},
        {"log_half_width": 0.1, "log_scale": 1.1},
    ],
)
def test_card_says_in_one_way_how_wide_the_interval_is(width: dict[str, Any]) -> None:
    with pytest.raises(ValidationError, match="either log_half_width, or log_scale and artifact"):
        Interval.model_validate({"coverage": 0.9} | width)


def test_spread_is_checked_like_the_estimator_before_it_is_loaded(
    write_version: WriteVersion, house: dict[str, Any]
) -> None:
    file = BytesIO()
    joblib.dump(DummyRegressor(strategy="constant", constant=0.1).fit([[0]], [0]), file)
    artifact = ARTIFACT | {"sha256": hashlib.sha256(file.getvalue()).hexdigest()}
    folder = write_version(interval={"coverage": 0.9, "log_scale": 2.0, "artifact": artifact})
    (folder / "spread.joblib").write_bytes(file.getvalue())

    model = load_registered("tiny", Folder(LocalFileSystem(), str(folder), "1"))
    (prediction,) = model.predict([model.input_type.model_validate(house)])
    assert isinstance(prediction, Prediction)
    assert prediction.interval is not None
    assert prediction.interval.upper == pytest.approx(prediction.price * math.exp(0.2), rel=1e-4)

    (folder / "spread.joblib").write_bytes(file.getvalue() + b" ")
    with pytest.raises(ModelRefused, match=r"spread\.joblib: sha256 is"):
        load_registered("tiny", Folder(LocalFileSystem(), str(folder), "1"))
