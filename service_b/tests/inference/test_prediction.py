from predictor.inference.prediction import (
    Bounds,
    Prediction,
    PredictionInterval,
    PricePrediction,
)


def test_prediction_for_hooks_has_the_same_fields_unrounded() -> None:
    bounds = Bounds(lower=1 / 3, upper=2 / 3, coverage=0.9)
    prediction = Prediction.of(PricePrediction(0.5001, "USD", bounds, "tiny", "1"))
    assert prediction == Prediction(
        price=0.5001,
        currency="USD",
        interval=PredictionInterval(lower=1 / 3, upper=2 / 3, coverage=0.9),
        model="tiny",
        model_version="1",
    )


def test_money_is_rounded_to_cents_only_when_it_is_written() -> None:
    bounds = Bounds(lower=1 / 3, upper=2 / 3, coverage=0.9)
    written = Prediction.of(PricePrediction(100 / 3, "USD", bounds, "tiny", "1")).model_dump()
    assert written["price"] == 33.33
    assert written["interval"] == {"lower": 0.33, "upper": 0.67, "coverage": 0.9}


def test_prediction_for_hooks_has_no_interval_when_the_model_gives_none() -> None:
    prediction = Prediction.of(PricePrediction(1.0, "USD", None, "tiny", "1"))
    assert prediction.interval is None
