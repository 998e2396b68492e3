"""How a model's predictions are run: at once, in a thread, or in pieces."""

import asyncio
import time
from collections import defaultdict
from collections.abc import Awaitable, Callable, Sequence
from typing import TypeVar

from anyio import CapacityLimiter, to_thread
from pydantic import BaseModel

from predictor.errors import PredictionFailed
from predictor.inference.prediction import Prediction, PricePrediction
from predictor.inference.served_model import Outcome, ServedModel
from predictor.telemetry.metrics import Metrics

# How many inputs a model that isn't quick gets at once.
_LARGE_PIECE = 1000
# A class's own output may be anything: it isn't watched.
_PRICED = (PricePrediction, Prediction)

Value = TypeVar("Value")
Result = TypeVar("Result")


class Runner:
    """Runs predictions so that health checks are answered meanwhile, and counts them."""

    def __init__(self, metrics: Metrics) -> None:
        self._metrics = metrics
        # A version keeps a core busy by itself: more threads for it would only wait for each other.
        self._limiters = defaultdict[tuple[str, str], CapacityLimiter](lambda: CapacityLimiter(1))

    async def predict(self, model: ServedModel, inputs: Sequence[BaseModel]) -> Sequence[Outcome]:
        """Give one outcome for each input, in one call of the model; in a thread unless quick.

        Raises:
            PredictionFailed: the model raised something.
        """
        if not inputs:
            return []
        started = time.perf_counter()
        if len(inputs) <= model.quick_batch:
            outcomes = _predict(model, inputs)
        else:
            limiter = self._limiters[model.name, model.version]
            outcomes = await to_thread.run_sync(_predict, model, inputs, limiter=limiter)
        seconds = time.perf_counter() - started
        self._metrics.count_predictions(model.name, model.version, len(inputs), seconds)
        priced = [each for each in outcomes if isinstance(each, _PRICED)]
        if priced:
            prices = [each.price for each in priced]
            self._metrics.count_prices(model.name, model.version, prices)
        for each in priced:
            for fields, _ in each.warnings:
                self._metrics.count_warning(model.name, model.version, fields)
        return outcomes


def _predict(model: ServedModel, inputs: Sequence[BaseModel]) -> Sequence[Outcome]:
    try:
        return model.predict(inputs)
    # A class may raise SystemExit, which would end the process, or an answer of the framework.
    except BaseException as error:
        raise PredictionFailed(f"{model.name} version {model.version} failed") from error


async def run_in_pieces(
    model: ServedModel,
    values: Sequence[Value],
    run: Callable[[Sequence[Value], int], Awaitable[Sequence[Result]]],
) -> list[Result]:
    """Run something on as many values as the model takes at once, then on the next.

    `run` gets some values and the index of the first. Other callers get their turn in between.
    The inputs of a quick model are best prepared in pieces too: those of a large batch don't fit
    into the processor's caches.
    """
    size = model.quick_batch or _LARGE_PIECE
    results: list[Result] = []
    for start in range(0, len(values), size):
        if start:
            await asyncio.sleep(0)
        results += await run(values[start : start + size], start)
    return results
