"""The bodies of answers: predictions as JSON, with the price in words beside it."""

from collections.abc import Sequence
from typing import Any

from predictor.errors import InputRejected, InvalidInput
from predictor.inference.prediction import Bounds, Prediction, PredictionInterval, PricePrediction
from predictor.inference.served_model import Outcome, Predicted
from predictor.web.validation import reject

# As `to_json` of pydantic writes it.
Answer = dict[str, Any]


def write_answer(prediction: Predicted) -> Answer:
    """Write the answer for one prediction. A class's own output has no words."""
    if isinstance(prediction, PricePrediction):
        # A pydantic model in place of the inner dict would take twice as long.
        price, currency, bounds, model, version, warnings, typical = prediction
        answer: Answer = {
            "prediction": {
                "price": round(price, 2),
                "currency": currency,
                "interval": bounds
                and {
                    "lower": round(bounds.lower, 2),
                    "upper": round(bounds.upper, 2),
                    "coverage": bounds.coverage,
                },
                "model": model,
                "model_version": version,
            },
            "message": describe(price, currency, bounds),
        }
        if typical is not None:
            answer["prediction"]["typical"] = round(typical, 3)
    elif isinstance(prediction, Prediction):
        words = describe(prediction.price, prediction.currency, prediction.interval)
        answer, warnings = {"prediction": prediction, "message": words}, prediction.warnings
    else:
        return {"prediction": prediction}
    if warnings:
        answer["warnings"] = [each._asdict() for each in warnings]
    return answer


def write_result(outcome: Outcome | InvalidInput, loc: Sequence[str | int]) -> Answer:
    """Write the answer for one input of a batch, or what is wrong with the input, at `loc`."""
    if isinstance(outcome, InputRejected):
        outcome = reject(outcome, loc)
    if isinstance(outcome, InvalidInput):
        return {"error": {"detail": outcome.problems}}
    return write_answer(outcome)


def describe(price: float, currency: str, bounds: Bounds | PredictionInterval | None) -> str:
    """Say a price in words, rounded as people say prices."""
    sign = "$" if currency == "USD" else f"{currency} "
    if bounds is None:
        return f"Predicted price: {sign}{price:,.0f}"
    lower, upper = _round(bounds.lower), _round(bounds.upper)
    interval = f"{bounds.coverage:.0%} interval {sign}{lower} to {sign}{upper}"
    return f"Predicted price: {sign}{price:,.0f} ({interval})"


def _round(price: float) -> str:
    """Round to three digits, at least to whole units: 189,237 becomes 189,000."""
    return f"{float(f'{price:.3g}') if price >= 100 else price:,.0f}"
