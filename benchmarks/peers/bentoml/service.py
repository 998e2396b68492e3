"""The model in BentoML: as documented, with its batching on, and with Service B's model code."""

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
class Batching:
    def __init__(self) -> None:
        self.model = joblib.load(os.environ["MODEL_FILE"])

    @bentoml.api(batchable=True, max_batch_size=128, max_latency_ms=10_000)
    def predict(self, houses: list[dict[str, Any]]) -> list[float]:
        prices: list[float] = self.model.predict(pd.DataFrame(houses)).tolist()
        return prices


@bentoml.service(workers=1)
class Tuned:
    def __init__(self) -> None:
        from tuned_model import TunedModel

        self.model = TunedModel()

    @bentoml.api(batchable=True, max_batch_size=128, max_latency_ms=10_000)
    def predict(self, houses: list[dict[str, Any]]) -> list[float]:
        return self.model.predict(houses)
