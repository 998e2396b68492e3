"""Sending sales through Service A, each once, and then what was paid for them."""

import os
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import requests
from tqdm import tqdm

from training.dataset import CONNECT_TIMEOUT_SECONDS, READ_TIMEOUT_SECONDS
from training.errors import TrainingError
from training.export import API_KEY
from training.market import Sale

# Service A has a call for its default model, and one for instances of another.
_INSTANCES_MODEL = "california"
_ACTUALS_PER_CALL = 500


class Gateway:
    """Service A, as one of its callers sees it.

    Each method raises `TrainingError` when a call fails, in whatever way.
    """

    def __init__(self, url: str, model: str) -> None:
        self._url = url.rstrip("/")
        self._model = model
        self._session = requests.Session()
        if key := os.environ.get(API_KEY):
            self._session.headers["X-API-Key"] = key

    def check(self) -> None:
        """Make sure that it is Service A: any server answers 404 to what it doesn't have."""
        if self._call("GET", "/health").get("service") != "Service A":
            raise TrainingError(f"{self._url} is not Service A")

    def find(self, sale: Sale) -> dict[str, Any] | None:
        """Give the log's record of a sale's house, None if it was never sent."""
        answer = self._call("GET", f"/inputs/{sale.request_id}", allowed=(200, 404))
        return answer if "request_id" in answer else None

    def predict(self, sale: Sale) -> str:
        """Have a house logged and priced; give the version that did it."""
        headers = {"X-Request-ID": sale.request_id}
        if self._model == _INSTANCES_MODEL:
            body: dict[str, Any] = {"instances": [sale.house]}
            return str(self._call("POST", "/api/v1/predict", body, headers)["model_version"])
        answer = self._call("POST", "/process", {"data": sale.house}, headers)
        return str(answer["model_prediction"]["prediction"]["model_version"])

    def report(self, sales: Sequence[Sale]) -> None:
        """Say what was paid for houses that were priced."""
        actuals = [{"request_id": sale.request_id, "price": sale.price} for sale in sales]
        self._call("POST", "/actuals", {"actuals": actuals})

    def _call(
        self,
        method: str,
        path: str,
        body: object = None,
        headers: Mapping[str, str] | None = None,
        allowed: Sequence[int] = (200,),
    ) -> dict[str, Any]:
        try:
            answer = self._session.request(
                method,
                self._url + path,
                json=body,
                headers=headers,
                timeout=(CONNECT_TIMEOUT_SECONDS, READ_TIMEOUT_SECONDS),
                allow_redirects=False,  # the key is for no other host
            )
            content = answer.json()
        except (OSError, ValueError) as error:  # also a URL that can't be used, and no JSON
            problem = type(error).__name__
            raise TrainingError(f"no Service A answers at {self._url} ({problem})") from error
        if answer.status_code == 401:
            raise TrainingError(f"{self._url} wants a key; give a right one in {API_KEY}")
        if answer.status_code not in allowed or not isinstance(content, dict):
            detail = content.get("detail") if isinstance(content, dict) else content
            raise TrainingError(f"{method} {path}: status {answer.status_code}: {detail}")
        return content


@dataclass
class Sent:
    """What became of the sales: how many this call has sent, and what the log has of all."""

    new: int = 0
    not_predicted: int = 0
    reported: int = 0
    versions: dict[str, int] = field(default_factory=dict)


def send_sales(gateway: Gateway, sales: Sequence[Sale], rate: float, *, actuals: bool) -> Sent:
    """Send what the log doesn't have yet, at most `rate` a second; then, if asked, the prices.

    What was stopped in the middle goes on where it was.
    """
    gateway.check()
    sent = Sent()
    unreported = []
    for sale in tqdm(sales, desc="sales", unit="", disable=None):
        record = gateway.find(sale)
        if record is None:
            due = time.monotonic() + 1 / rate
            version = gateway.predict(sale)
            sent.new += 1
            time.sleep(max(0, due - time.monotonic()))
        elif record["outcome"] == "predicted":
            version = str(record["model_version"])
        else:
            sent.not_predicted += 1
            continue
        sent.versions[version] = sent.versions.get(version, 0) + 1
        if record is None or record["actual_price"] is None:
            unreported.append(sale)
    if actuals:
        for start in range(0, len(unreported), _ACTUALS_PER_CALL):
            part = unreported[start : start + _ACTUALS_PER_CALL]
            gateway.report(part)
            sent.reported += len(part)
    return sent
