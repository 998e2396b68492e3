import asyncio
import threading
from collections.abc import Sequence
from typing import Any

import pytest
from pydantic import BaseModel

from predictor.errors import InputRejected, PredictionFailed
from predictor.inference.runner import Runner, run_in_pieces
from predictor.telemetry.metrics import Metrics


class Number(BaseModel):
    value: float


class FakeModel:
    """Gives its inputs back, and notes in which thread; `quick_batch` of them are quick."""

    name = "fake"
    version = "1"
    input_type = Number
    prediction_type = Number
    metadata: dict[str, Any] = {}  # noqa: RUF012
    example: dict[str, Any] = {"value": 1}  # noqa: RUF012
    columns: dict[str, str] = {"value": "value"}  # noqa: RUF012

    def __init__(self, quick_batch: int) -> None:
        self.quick_batch = quick_batch
        self.threads: list[int] = []
        self.under_way = 0
        self.released = threading.Event()
        self.released.set()

    def predict(self, inputs: Sequence[BaseModel]) -> Sequence[BaseModel | InputRejected]:
        self.under_way += 1
        assert self.under_way == 1
        self.threads.append(threading.get_ident())
        assert self.released.wait(60)
        self.under_way -= 1
        return inputs


@pytest.fixture
def metrics() -> Metrics:
    return Metrics([])


def make_inputs(count: int) -> list[BaseModel]:
    return [Number(value=value) for value in range(count)]


def read(metrics: Metrics, name: str) -> float:
    (line,) = [each for each in metrics.write().decode().splitlines() if each.startswith(name)]
    return float(line.rpartition(" ")[2])


def test_quick_batch_is_predicted_at_once_and_a_larger_one_in_a_thread(metrics: Metrics) -> None:
    model = FakeModel(quick_batch=2)
    runner = Runner(metrics)

    async def run() -> None:
        for count in (1, 2, 3):
            inputs = make_inputs(count)
            assert await runner.predict(model, inputs) == inputs

    asyncio.run(run())
    here = threading.get_ident()
    assert [thread == here for thread in model.threads] == [True, True, False]


def test_model_gets_no_call_when_there_is_nothing_to_predict(metrics: Metrics) -> None:
    model = FakeModel(quick_batch=2)
    assert asyncio.run(Runner(metrics).predict(model, [])) == []
    assert model.threads == []


def test_slow_model_is_never_called_by_two_threads_and_others_go_on(metrics: Metrics) -> None:
    slow, other = FakeModel(quick_batch=0), FakeModel(quick_batch=0)
    other.name = "other"
    slow.released.clear()
    runner = Runner(metrics)

    async def run() -> None:
        waiting = [asyncio.create_task(runner.predict(slow, make_inputs(1))) for _ in range(3)]
        await runner.predict(other, make_inputs(1))
        assert not any(each.done() for each in waiting)
        slow.released.set()
        await asyncio.gather(*waiting)

    asyncio.run(run())
    assert len(slow.threads) == 3


@pytest.mark.parametrize("quick_batch", [0, 1])
@pytest.mark.parametrize("error", [KeyError("a"), SystemExit(1), StopIteration(), GeneratorExit()])
def test_prediction_has_failed_when_a_model_raises_anything(
    monkeypatch: pytest.MonkeyPatch, metrics: Metrics, quick_batch: int, error: BaseException
) -> None:
    def fail(_: object) -> None:
        raise error

    model = FakeModel(quick_batch)
    monkeypatch.setattr(model, "predict", fail)

    with pytest.raises(PredictionFailed, match="fake version 1 failed") as caught:
        asyncio.run(Runner(metrics).predict(model, make_inputs(1)))
    assert caught.value.__cause__ is error


def test_predictions_are_counted(metrics: Metrics) -> None:
    runner = Runner(metrics)

    async def run() -> None:
        for count in (1, 4):
            await runner.predict(FakeModel(quick_batch=2), make_inputs(count))

    asyncio.run(run())
    assert read(metrics, "predictor_predictions_total{") == 5
    assert read(metrics, "predictor_batch_size_count{") == 2
    assert read(metrics, "predictor_predict_seconds_count{") == 2


@pytest.mark.parametrize(
    ("quick_batch", "count", "pieces"),
    [
        (2, 0, []),
        (2, 5, [(0, 2), (2, 2), (4, 1)]),
        (0, 5, [(0, 5)]),
        (0, 1001, [(0, 1000), (1000, 1)]),
    ],
)
def test_model_gets_pieces_that_it_takes_at_once(
    quick_batch: int, count: int, pieces: list[tuple[int, int]]
) -> None:
    found = []

    async def run(values: Sequence[int], start: int) -> Sequence[int]:
        found.append((start, len(values)))
        return values

    values = list(range(count))
    assert asyncio.run(run_in_pieces(FakeModel(quick_batch), values, run)) == values
    assert found == pieces


def test_others_get_their_turn_between_two_pieces() -> None:
    turns: list[str] = []

    async def run(values: Sequence[int], _: int) -> Sequence[int]:
        turns.append("piece")
        return values

    async def run_both() -> None:
        asyncio.get_running_loop().call_soon(turns.append, "other")
        await run_in_pieces(FakeModel(quick_batch=1), [1, 2], run)

    asyncio.run(run_both())
    assert turns == ["piece", "other", "piece"]
