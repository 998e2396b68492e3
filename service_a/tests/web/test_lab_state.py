import asyncio
import json
from collections.abc import Mapping
from typing import Any, cast

import pytest

from gateway.errors import InputLogUnavailable
from gateway.intake.lanes import Lanes
from gateway.intake.log_queue import LogQueue
from gateway.telemetry.events import Watchers
from gateway.telemetry.latencies import Latencies
from gateway.web import lab_state
from gateway.web.lab_state import LabState, Look


class FakeLanes:
    waiting = 3
    default_circuit = "open"


class FakeLogQueue:
    waiting = 2


async def find_log() -> Mapping[str, int]:
    return {"logged": 5}


async def find_predictor() -> Mapping[str, Any]:
    return {"status": "healthy", "models": [], "faults": [{"kind": "hang"}]}


async def hang() -> Mapping[str, Any]:
    await asyncio.Event().wait()
    return {}


async def fail() -> Mapping[str, Any]:
    raise InputLogUnavailable


async def break_down() -> Mapping[str, Any]:
    raise KeyError("unexpected")


def read_state(count_log: Look = find_log, ask_predictor: Look = find_predictor) -> dict[str, Any]:
    async def run() -> str:
        watchers = Watchers()
        state = LabState(
            watchers,
            Latencies(),
            cast(Lanes, FakeLanes()),
            cast(LogQueue, FakeLogQueue()),
            count_log=count_log,
            ask_predictor=ask_predictor,
            list_faults=lambda: [{"kind": "log_full"}],
        )
        task = asyncio.create_task(state.run())
        text = (await anext(watchers.join().read())).decode()
        task.cancel()
        return text

    state: dict[str, Any] = json.loads(asyncio.run(run()).split("\n")[1].removeprefix("data: "))
    return state


def test_state_is_put_together() -> None:
    assert read_state() == {
        "requests_per_second": 0,
        "p50_ms": None,
        "p99_ms": None,
        "waiting": {"log": 2, "forward": 3},
        "circuit": "open",
        "service_b": {"status": "healthy", "models": []},
        "log": {"logged": 5},
        "faults": {"service_a": [{"kind": "log_full"}], "service_b": [{"kind": "hang"}]},
    }


@pytest.mark.parametrize("look", [hang, fail, break_down])
def test_state_comes_without_what_cannot_be_found_out(
    monkeypatch: pytest.MonkeyPatch, look: Look
) -> None:
    monkeypatch.setattr(lab_state, "_WAIT_SECONDS", 0.01)

    state = read_state(look, look)

    assert (state["log"], state["service_b"]["status"]) == ({}, "unreachable")


def test_next_state_comes_when_one_could_not_be_put_together(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(lab_state, "_PERIOD_SECONDS", 0.01)
    answers = iter([{}, {"status": "healthy", "models": [], "faults": []}])

    async def find_part() -> Mapping[str, Any]:
        return next(answers)

    assert read_state(ask_predictor=find_part)["service_b"]["status"] == "healthy"
    assert [record.exc_info and record.exc_info[0] for record in caplog.records] == [KeyError]
