"""A few inputs with the prices that a version gives: by them a loaded copy is tried."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from predictor.card import Feature
from training.evaluation import Data, Trained
from training.features import to_request
from training.hidden_fields import Inputs, keep_required, keep_some

_WHOLE, _PARTIAL, _SCANT = 4, 2, 2


def choose_golden(
    features: Sequence[Feature], data: Data, trained: Trained
) -> list[dict[str, Any]]:
    """Spread inputs over the prices: whole ones, some with fields hidden, some with few.

    `features` are all of the card's, `data.features` those that reach the estimator.
    """
    by_price = np.argsort(data.prices, kind="stable")
    places = np.linspace(0, len(by_price) - 1, _WHOLE + _PARTIAL + _SCANT).round().astype(int)
    inputs = data.inputs[by_price[places]]
    hidden = keep_some(data.features, inputs, 0.5, np.random.default_rng(0))
    scant = keep_required(data.features, inputs)
    rows: Inputs = np.array(
        [(inputs, hidden, inputs, scant)[i % 4][i] for i in range(len(inputs))], dtype=object
    )
    names = [feature.name for feature in data.features]
    return [
        {"input": to_request(features, dict(zip(names, row, strict=True))), "price": float(price)}
        for row, price in zip(rows, trained.predict(rows), strict=True)
    ]
