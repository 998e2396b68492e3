import json
import signal
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from predictor.errors import InputRejected
from predictor.inference.served_model import Outcome
from predictor.settings import Settings
from predictor.shadow import shadow as module
from predictor.shadow.calls_under_way import CallsUnderWay
from predictor.shadow.shadow import MOST_WAITING, Shadow
from predictor.telemetry.metrics import Metrics
from predictor.versions.manifest import ChallengerEntry
from predictor.versions.registry import ModelRegistry
from tests.conftest import WriteVersion
from tests.service_process import MAIN, find_free_port, request, start
from tests.shadow.fake_model import FakeModel, Number

ALIAS = "fake@challenger"


class Stage:
    """A champion and a challenger with real threads, and callers who are answered."""

    def __init__(self, share: float = 1) -> None:
        self.registry = ModelRegistry(["fake"], "fake")
        self.registry.add_alias(ALIAS)
        self.champion = FakeModel("1")
        self.registry.put(self.champion)
        self.calls = CallsUnderWay()
        self.metrics = Metrics([])
        entry = ChallengerEntry(share=share)
        self.shadow = Shadow("fake", entry, self.registry, self.calls, self.metrics.comparisons)
        self.shadow.start()

    def challenge(self, challenger: FakeModel) -> FakeModel:
        self.registry.put(challenger, ALIAS)
        return challenger

    def answer(self, count: int, model: FakeModel | None = None) -> None:
        model = model or self.champion
        inputs = [Number(value=100 + each) for each in range(count)]
        self.shadow.offer("r", model, inputs, model.predict(inputs))

    def count(self) -> tuple[int, int, int]:
        summary = self.shadow.describe().summary
        return summary.compared, summary.failed, summary.dropped

    def wait_for(self, *counts: int) -> None:
        wait_until(lambda: self.count() == counts)


def wait_until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 300
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.002)


@pytest.fixture
def stage() -> Iterator[Stage]:
    stage = Stage()
    yield stage
    stage.shadow.stop()


def test_what_was_answered_is_predicted_again_in_another_thread(stage: Stage) -> None:
    challenger = stage.challenge(FakeModel("2", factor=1.05))
    stage.answer(10)
    stage.wait_for(10, 0, 0)
    state = stage.shadow.describe()
    assert (state.status, state.version, state.challenger_version) == ("comparing", "1", "2")
    assert state.summary.mean_difference == pytest.approx(0.05)
    assert state.summary.within_interval == 1
    assert threading.get_ident() not in challenger.threads
    text = stage.metrics.write().decode()
    labels = 'challenger="2",model="fake",outcome="compared",version="1"'
    assert f"predictor_challenger_inputs_total{{{labels}}} 10.0" in text


def test_nothing_is_predicted_while_a_caller_waits(stage: Stage) -> None:
    challenger = stage.challenge(FakeModel("2"))
    stage.calls.begin()
    stage.answer(1)
    time.sleep(0.05)
    assert challenger.threads == set()
    stage.calls.end()
    stage.wait_for(1, 0, 0)


def test_share_of_the_inputs_is_taken_whatever_the_size_of_batches() -> None:
    stage = Stage(share=0.2)
    stage.challenge(FakeModel("2"))
    for _ in range(100):
        stage.answer(1)
        stage.answer(9)
    stage.wait_for(200, 0, 0)
    stage.shadow.stop()


def test_inputs_that_were_rejected_are_not_taken(stage: Stage) -> None:
    stage.challenge(FakeModel("2"))
    stage.shadow.offer("r", stage.champion, [Number(value=1)], [InputRejected("no")])
    stage.answer(1)
    stage.wait_for(1, 0, 0)


def test_answers_of_the_challenger_itself_are_not_compared(stage: Stage) -> None:
    challenger = stage.challenge(FakeModel("2"))
    stage.answer(5, challenger)
    stage.answer(1)
    stage.wait_for(1, 0, 0)


def test_failures_are_counted_and_the_next_input_is_compared(stage: Stage) -> None:
    def fail_once(price: float) -> Outcome | None:
        if price == 101:
            raise SystemExit("the secret")
        return None

    stage.challenge(FakeModel("2", then=fail_once))
    stage.answer(3)
    stage.wait_for(2, 1, 0)


def test_newest_inputs_are_dropped_when_too_many_wait(stage: Stage) -> None:
    stage.challenge(FakeModel("2"))
    stage.calls.begin()
    stage.answer(MOST_WAITING)
    stage.answer(7)
    assert stage.count() == (0, 0, 7)
    stage.calls.end()
    stage.wait_for(MOST_WAITING, 0, 7)


def test_slow_challenger_is_waited_for_by_nobody(stage: Stage) -> None:
    released = threading.Event()

    def wait(_: float) -> None:
        assert released.wait(60)

    stage.challenge(FakeModel("2", then=wait))
    stage.answer(8)
    assert stage.count() == (0, 0, 0)
    released.set()
    stage.wait_for(8, 0, 0)


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_HANGS_AFTER_SECONDS", 0.05)


@pytest.mark.usefixtures("impatient")
@pytest.mark.parametrize("busy", [False, True])
def test_challenger_that_hangs_is_left_alone_until_another_comes(stage: Stage, busy: bool) -> None:
    released = threading.Event()

    def hang(_: float) -> None:
        while busy or not released.wait(60):
            pass

    challenger = stage.challenge(FakeModel("2", then=hang))
    stage.answer(1)
    wait_until(lambda: bool(challenger.threads))
    (thread,) = (each for each in threading.enumerate() if each.ident in challenger.threads)
    stage.answer(4)
    wait_until(lambda: stage.shadow.describe().status == "hangs")
    stage.answer(2)
    assert stage.count() == (0, 1, 6)

    stage.challenge(FakeModel("3"))
    stage.answer(3)
    stage.wait_for(3, 0, 0)
    released.set()
    thread.join(60)
    assert not thread.is_alive()
    assert stage.count() == (3, 0, 0)


@pytest.mark.usefixtures("impatient")
def test_callers_get_answers_when_no_thread_can_take_the_place_of_one_that_hangs(
    stage: Stage, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    released = threading.Event()

    def hang(_: float) -> None:
        released.wait(60)

    challenger = stage.challenge(FakeModel("2", then=hang))
    stage.answer(1)
    wait_until(lambda: bool(challenger.threads))

    def refuse(_: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(threading.Thread, "start", refuse)
    wait_until(lambda: stage.shadow.describe().status == "hangs")
    stage.answer(2)
    released.set()

    assert stage.count() == (0, 1, 2)
    assert "challenger isn't compared any more" in caplog.messages


def test_findings_begin_anew_when_either_version_is_replaced(stage: Stage) -> None:
    stage.challenge(FakeModel("2", factor=2))
    stage.answer(1)
    stage.wait_for(1, 0, 0)
    stage.challenge(FakeModel("3"))
    assert stage.count() == (0, 0, 0)
    stage.champion = FakeModel("4")
    stage.registry.put(stage.champion)
    stage.answer(2)
    stage.wait_for(2, 0, 0)
    state = stage.shadow.describe()
    assert (state.version, state.challenger_version) == ("4", "3")


def test_inputs_are_dropped_when_the_challenger_goes_while_they_wait(stage: Stage) -> None:
    stage.challenge(FakeModel("2"))
    stage.calls.begin()
    stage.answer(6)
    stage.registry.remove_alias(ALIAS)
    stage.calls.end()
    wait_until(lambda: not stage.shadow._waiting)
    stage.answer(1)
    assert stage.shadow.describe()[:3] == ("no_version", "1", None)
    labels = 'challenger="2",model="fake",outcome="dropped",version="1"'
    name = f"predictor_challenger_inputs_total{{{labels}}} 6.0"
    wait_until(lambda: name in stage.metrics.write().decode())


def test_nothing_is_compared_when_the_alias_names_the_champion(stage: Stage) -> None:
    stage.challenge(stage.champion)
    stage.answer(1)
    assert stage.shadow.describe()[:3] == ("same_version", "1", "1")


def test_thread_ends_at_once_when_it_is_stopped_with_inputs_waiting(stage: Stage) -> None:
    stage.challenge(FakeModel("2"))
    stage.calls.begin()
    stage.answer(MOST_WAITING)
    thread: Any = stage.shadow._thread
    stage.shadow.stop()
    thread.join(60)
    assert not thread.is_alive()


def hang_at_a_large_house(values: Any, prediction: Any) -> Any:
    """A hook of a model in models.yaml, that hangs in version 2 only."""
    if prediction.model_version == "2" and values.first_flr_sf == 5000:
        time.sleep(3600)
    return prediction


def test_service_ends_at_once_while_a_challenger_hangs_and_inputs_wait(
    settings: Settings, write_version: WriteVersion, house: dict[str, Any]
) -> None:
    folder = write_version("1").parent
    write_version("2")
    (folder / "alias.json").write_text('{"champion": "1", "aliases": {"challenger": "2"}}')
    settings.models.write_text(
        "models: [{name: tiny, default: true, sources: [models/tiny], challenger: {share: 1},"
        " after: tests.shadow.test_shadow.hang_at_a_large_house}]"
    )
    body = json.dumps({"inputs": [*[house] * 4, *[house | {"first_flr_sf": 5000}] * 50]}).encode()
    port = find_free_port()
    with start(port, *MAIN, PREDICTOR_MODELS=str(settings.models)) as service:
        assert len(request(port, "POST", "/predict/batch", body)[1]["results"]) == 54
        service.wait_for("challenger compared")  # so it has come to those at which it hangs
        service.signal(signal.SIGTERM)
        status, output = service.wait()
    assert status == 0
    assert "ended with work under way" not in output  # which would be after 9 s
