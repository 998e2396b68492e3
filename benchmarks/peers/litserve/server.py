"""The model in LitServe: `python server.py documented|batched PORT`."""

import os
import sys
from typing import Any

import joblib
import litserve
import pandas as pd

Request = dict[str, Any]


class Documented(litserve.LitAPI):
    def setup(self, device: str) -> None:
        self.model = joblib.load(os.environ["MODEL_FILE"])

    def decode_request(self, request: Request) -> pd.DataFrame:
        return pd.DataFrame([request])

    def predict(self, frame: pd.DataFrame) -> float:
        return float(self.model.predict(frame)[0])

    def encode_response(self, price: float) -> dict[str, float]:
        return {"price": price}


class Batched(litserve.LitAPI):
    def setup(self, device: str) -> None:
        self.model = joblib.load(os.environ["MODEL_FILE"])

    def decode_request(self, request: Request) -> Request:
        return request

    def batch(self, houses: list[Request]) -> pd.DataFrame:
        return pd.DataFrame(houses)

    def predict(self, frame: pd.DataFrame) -> list[float]:
        prices: list[float] = self.model.predict(frame).tolist()
        return prices

    def unbatch(self, prices: list[float]) -> list[float]:
        return prices

    def encode_response(self, price: float) -> dict[str, float]:
        return {"price": price}


if __name__ == "__main__":
    kind, port = sys.argv[1:]
    api = Documented() if kind == "documented" else Batched(max_batch_size=64, batch_timeout=0.001)
    server = litserve.LitServer(api, accelerator="cpu", workers_per_device=1)
    server.run(
        host="127.0.0.1", port=int(port), num_api_servers=1, generate_client_file=False,
        log_level="warning",
    )
