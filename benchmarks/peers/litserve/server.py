"""The model in LitServe: `python server.py Documented|Batching|Tuned PORT`.

As documented, with its batching on, and with Service B's model code.
"""

import os
import sys
from typing import Any

import joblib
import litserve
import pandas as pd

House = dict[str, Any]


class Documented(litserve.LitAPI):
    def setup(self, device: str) -> None:  # noqa: ARG002
        self.model = joblib.load(os.environ["MODEL_FILE"])

    def decode_request(self, request: House) -> pd.DataFrame:
        return pd.DataFrame([request])

    def predict(self, frame: pd.DataFrame) -> float:
        return float(self.model.predict(frame)[0])

    def encode_response(self, price: float) -> dict[str, float]:
        return {"price": price}


class Batching(litserve.LitAPI):
    def setup(self, device: str) -> None:  # noqa: ARG002
        self.model = joblib.load(os.environ["MODEL_FILE"])

    def decode_request(self, request: House) -> House:
        return request

    def batch(self, houses: list[House]) -> list[House]:
        return houses

    def predict(self, houses: list[House]) -> list[float]:
        prices: list[float] = self.model.predict(pd.DataFrame(houses)).tolist()
        return prices

    def unbatch(self, prices: list[float]) -> list[float]:
        return prices

    def encode_response(self, price: float) -> dict[str, float]:
        return {"price": price}


class Tuned(Batching):
    def setup(self, device: str) -> None:  # noqa: ARG002
        from tuned_model import TunedModel

        self.model = TunedModel()

    def predict(self, houses: list[House]) -> list[float]:
        return self.model.predict(houses)


if __name__ == "__main__":
    kind, port = sys.argv[1:]
    batching = {"max_batch_size": 64, "batch_timeout": 0.001}
    api = {
        "Documented": lambda: Documented(),
        "Batching": lambda: Batching(**batching),
        "Tuned": lambda: Tuned(**batching),
    }[kind]()
    litserve.LitServer(api, accelerator="cpu", workers_per_device=1).run(
        host="127.0.0.1",
        port=int(port),
        num_api_servers=1,
        generate_client_file=False,
        log_level="warning",
    )
