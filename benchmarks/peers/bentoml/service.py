"""The model in BentoML: as its documentation shows, and with its batching switched on."""

import os
from typing import Any

import bentoml
import joblib
import pandas as pd


@bentoml.service(workers=1)
class Documented:
    def __init__(self) -> None:
        self.model = joblib.load(os.environ["MODEL_FILE"])

    @bentoml.api
    def predict(self, house: dict[str, Any]) -> float:
        return float(self.model.predict(pd.DataFrame([house]))[0])


@bentoml.service(workers=1)
class Batched:
    def __init__(self) -> None:
        self.model = joblib.load(os.environ["MODEL_FILE"])

    @bentoml.api(batchable=True, max_batch_size=128, max_latency_ms=10_000)
    def predict(self, houses: list[dict[str, Any]]) -> list[float]:
        prices: list[float] = self.model.predict(pd.DataFrame(houses)).tolist()
        return prices
