"""Service A while Service B is gone, hangs, or can't keep up."""

import threading
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
import requests

from tests.running_lab import ONLY_AMES, WAIT_SECONDS, Lab, wait_until
from tests.stub_predictor import Reply, StubPredictor, predict

HOUSE = {"overall_qual": 7, "gr_liv_area": 1710, "year_built": 2003, "neighborhood": "CollgCr"}


def process(lab: Lab, *, forward: bool = True) -> requests.Response:
    body = {"data": HOUSE, "forward_to_model": forward}
    return requests.post(f"{lab.a.url}/process", json=body, timeout=WAIT_SECONDS)


def read_circuit(lab: Lab) -> str:
    health = requests.get(f"{lab.a.url}/health", timeout=WAIT_SECONDS)
    assert health.status_code == 200
    state: str = health.json()["circuit_breaker"]
    return state


def list_changes(lab: Lab) -> list[str]:
    return [
        line.rpartition("state=")[2].split()[0]
        for line in lab.a.read_output().splitlines()
        if 'event="circuit to Service B"' in line
    ]


@pytest.fixture
def watchful(tmp_path: Path) -> Iterator[Lab]:
    """Both services; the circuit opens after three failures and tries again soon."""
    settings = {"GATEWAY_BREAKER_FAILURES": "3", "GATEWAY_BREAKER_WINDOW_SECONDS": "0.5"}
    with Lab(tmp_path, service_a=settings, service_b=ONLY_AMES).running() as lab:
        yield lab


def test_circuit_opens_when_service_b_is_killed_and_closes_when_it_is_back(watchful: Lab) -> None:
    assert process(watchful).status_code == 200
    assert read_circuit(watchful) == "closed"

    watchful.b.kill()
    replies = [process(watchful) for _ in range(4)]
    assert {reply.status_code for reply in replies} == {503}
    assert {reply.headers["Retry-After"] for reply in replies} == {"5"}
    wait_until(lambda: process(watchful).status_code == 503 and read_circuit(watchful) == "open")
    assert process(watchful, forward=False).status_code == 200

    watchful.b.start()
    wait_until(lambda: process(watchful).status_code == 200)
    assert read_circuit(watchful) == "closed"

    # A thread writes the log lines, a moment after the answers.
    wait_until(lambda: list_changes(watchful)[-2:] == ["half_open", "closed"])
    assert list_changes(watchful)[0] == "open"
    # What could not be predicted meanwhile is predicted now.
    replayed = requests.post(f"{watchful.a.url}/inputs/replay", timeout=WAIT_SECONDS).json()
    assert replayed["predicted"] >= 4
    outcomes = Counter(row["outcome"] for row in watchful.read_inputs())
    assert outcomes.keys() == {"predicted", "logged"}


def start_in_front_of(stub: StubPredictor, folder: Path, **settings: str) -> Lab:
    lab = Lab(folder, service_a={"SERVICE_B_URL": f"{stub.url}/predict", **settings})
    lab.a.start()
    return lab


def test_inputs_are_logged_while_as_many_as_may_wait_for_a_hung_service_b(
    tmp_path: Path, stub: StubPredictor
) -> None:
    lab = start_in_front_of(
        stub,
        tmp_path,
        GATEWAY_FORWARD_MAX_WAITING="20",
        GATEWAY_FORWARD_CALLS="2",
        GATEWAY_FORWARD_MAX_BATCH="1",
        GATEWAY_FORWARD_TIMEOUT_SECONDS=str(WAIT_SECONDS),
    )
    stub.released.clear()
    try:
        with ThreadPoolExecutor(30) as callers:
            forwarded = [callers.submit(process, lab) for _ in range(30)]
            # 20 wait, and two calls of one input may be under way, or be soon.
            wait_until(lambda: lab.a.read_output().count("waiting already") >= 8)
            logged = [process(lab, forward=False).status_code for _ in range(50)]
            assert logged == [200] * 50
            stub.released.set()
            statuses = Counter(future.result().status_code for future in forwarded)
        assert statuses.keys() == {200, 503}
        assert 8 <= statuses[503] <= 10
    finally:
        stub.released.set()
        lab.print_output()
        lab.stop()


class Clock(threading.Thread):
    """At each tick, 20 a second, callers want three more inputs, and one may be predicted."""

    def __init__(self) -> None:
        super().__init__()
        self.wanted = threading.Semaphore(0)
        self.predictable = threading.BoundedSemaphore(1)
        self._stopped = threading.Event()

    def run(self) -> None:
        while not self._stopped.wait(0.05):
            self.wanted.release(3)
            with suppress(ValueError):  # time in which nothing was predicted is lost
                self.predictable.release()

    def stop(self) -> None:
        self._stopped.set()
        self.join()


class SlowPredictor:
    """Predicts one input at each tick."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._busy = threading.Lock()
        self.predicted = 0

    def __call__(self, request: dict[str, Any]) -> Reply:
        with self._busy:
            for _ in request.get("inputs", [None]):
                self._clock.predictable.acquire()
                self.predicted += 1
        return predict(request)


def test_most_of_what_service_b_can_do_reaches_callers_when_they_want_three_times_as_much(
    tmp_path: Path, stub: StubPredictor
) -> None:
    clock = Clock()
    slow = stub.compute = SlowPredictor(clock)
    lab = start_in_front_of(
        stub, tmp_path, GATEWAY_FORWARD_TIMEOUT_SECONDS="2", GATEWAY_FORWARD_MAX_BATCH="6"
    )
    could_be_predicted = 150

    def call(_: int) -> int:
        clock.wanted.acquire()
        return process(lab).status_code

    clock.start()
    try:
        with ThreadPoolExecutor(160) as callers:
            statuses = Counter(callers.map(call, range(3 * could_be_predicted)))
        assert statuses.keys() == {200, 503}
        print(f"statuses {statuses}, predicted {slow.predicted}")  # noqa: T201
        assert statuses[200] > 0.5 * could_be_predicted
        # Little was predicted for callers that had given up.
        assert statuses[200] > 0.8 * slow.predicted
    finally:
        clock.stop()
        lab.print_output()
        lab.stop()
