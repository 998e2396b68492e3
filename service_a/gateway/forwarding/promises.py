"""What Service B's models promise: the figures that their cards have from their own test data."""

import time
from dataclasses import dataclass, field
from urllib.parse import quote

from pydantic import BaseModel, ConfigDict

from gateway.errors import PredictorUnavailable
from gateway.forwarding.side_calls import SideCalls

_MAX_SECONDS = 1

Promise = dict[str, float]


@dataclass
class Promises:
    """The name of the default model, and the promise of each version, by model and version.

    A promise has its figures by the names that they have in the quality of a version.
    """

    default_model: str | None = None
    of_versions: dict[tuple[str, str], Promise] = field(default_factory=dict)


class _Read(BaseModel):
    model_config = ConfigDict(allow_inf_nan=False)


class _Model(_Read):
    name: str
    version: str | None
    default: bool = False


class _Models(_Read):
    models: list[_Model] = []


class _Metrics(_Read):
    mape_percent: float | None = None
    median_ape_percent: float | None = None
    within_10_percent_share: float | None = None


class _CardMetrics(_Metrics):
    # Over all rows: where a card has these figures, it leads with them.
    five_fold: _Metrics | None = None


class _Interval(_Read):
    coverage: float | None = None


class _Card(_Read):
    metrics: _CardMetrics = _CardMetrics()
    interval: _Interval | None = None


class _Described(_Read):
    card: _Card = _Card()


class PromiseReader:
    """Asks Service B. Blocks; use it from one thread at a time."""

    def __init__(self, calls: SideCalls, default_model: str | None = None) -> None:
        self._calls = calls
        self._default_model = default_model

    def read(self) -> Promises:
        """Return what Service B says in time. The name of its default model is remembered."""
        promises: dict[tuple[str, str], Promise] = {}
        ends_at = time.monotonic() + _MAX_SECONDS
        try:
            models = self._calls.read(_Models, "/models").models
            self._default_model = next(
                (each.name for each in models if each.default), self._default_model
            )
            for model in models:
                if model.version is not None and time.monotonic() < ends_at:
                    card = self._calls.read(_Described, f"/models/{quote(model.name)}").card
                    if promise := _read_promise(card):
                        # Callers may name a version by its alias, which then stands in the log.
                        for name in (model.name, model.name.partition("@")[0]):
                            promises[name, model.version] = promise
        except PredictorUnavailable:
            pass  # what was found before it went away still holds
        return Promises(self._default_model, promises)


def _read_promise(card: _Card) -> Promise:
    metrics = card.metrics.five_fold or card.metrics
    figures = {
        "mape": (metrics.mape_percent, 100),
        "median_ape": (metrics.median_ape_percent, 100),
        "within_10_percent": (metrics.within_10_percent_share, 1),
        "coverage": (card.interval.coverage if card.interval else None, 1),
    }
    return {
        name: round(value / unit, 6) for name, (value, unit) in figures.items() if value is not None
    }
