"""Service A when its disk is full or can't be written: nothing is forwarded, nothing to restart."""

import os
import sqlite3
import subprocess
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path

import pytest
import requests

from tests.running_lab import WAIT_SECONDS, Lab, wait_until
from tests.stub_predictor import StubPredictor

NOT_LOGGED = (503, {"detail": "Input could not be logged"})


def mount(*arguments: str) -> bool:
    if os.geteuid() != 0:
        return False
    return subprocess.run(["mount", *arguments], capture_output=True).returncode == 0


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    """A small disk of the test's own."""
    folder = tmp_path / "disk"
    folder.mkdir()
    if not mount("-t", "tmpfs", "-o", "size=1m", "tmpfs", str(folder)):
        pytest.skip("only root can mount a small disk")
    yield folder
    subprocess.run(["umount", str(folder)], check=True)


@pytest.fixture
def lab(tmp_path: Path, disk: Path, stub: StubPredictor) -> Iterator[Lab]:
    lab = Lab(
        tmp_path,
        service_a={
            "SERVICE_B_URL": f"{stub.url}/predict",
            "INPUT_LOG_URL": f"sqlite:///{disk / 'inputs.db'}",
        },
    )
    try:
        lab.a.start()
        yield lab
    finally:
        lab.print_output()
        lab.stop()


def process(lab: Lab, data: str, *, forward: bool = False) -> tuple[int, object]:
    body = {"data": data, "forward_to_model": forward}
    reply = requests.post(f"{lab.a.url}/process", json=body, timeout=WAIT_SECONDS)
    if reply.status_code == 503:
        assert reply.headers["Retry-After"] == "5"
    return reply.status_code, reply.json()


def count_inputs(lab: Lab) -> int:
    return len(
        requests.get(f"{lab.a.url}/inputs?limit=1000", timeout=WAIT_SECONDS).json()["inputs"]
    )


def test_inputs_are_refused_while_the_disk_is_full_and_taken_when_there_is_room(
    lab: Lab, disk: Path, stub: StubPredictor
) -> None:
    logged = 0
    while process(lab, "x" * 20_000)[0] == 200:
        logged += 1
        assert logged < 100, "the disk never got full"

    assert process(lab, "x" * 20_000, forward=True) == NOT_LOGGED
    assert stub.received == []
    assert requests.get(f"{lab.a.url}/", timeout=WAIT_SECONDS).status_code == 200

    subprocess.run(["mount", "-o", "remount,size=8m", str(disk)], check=True)

    assert process(lab, "x" * 20_000, forward=True)[0] == 200
    assert len(stub.received) == 1
    assert requests.get(f"{lab.a.url}/health", timeout=WAIT_SECONDS).status_code == 200
    assert count_inputs(lab) == logged + 1


def test_inputs_are_refused_while_the_log_is_read_only_and_taken_when_it_is_not(
    lab: Lab, disk: Path, stub: StubPredictor
) -> None:
    assert process(lab, "x")[0] == 200
    lab.a.stop()
    database = str(disk / "inputs.db")
    subprocess.run(["chattr", "+i", database], check=True)  # root may write whatever else is set
    lab.a.start(path="/health", status=503)
    try:
        assert process(lab, "x", forward=True) == NOT_LOGGED
        assert stub.received == []
    finally:
        subprocess.run(["chattr", "-i", database], check=True)

    assert process(lab, "x", forward=True)[0] == 200
    assert count_inputs(lab) == 2


def test_outcomes_are_added_when_a_lock_ends_that_outlasted_their_commit(
    tmp_path: Path, stub: StubPredictor
) -> None:
    lab = Lab(tmp_path, service_a={"SERVICE_B_URL": f"{stub.url}/predict"})
    lab.a.start()
    try:
        stub.released.clear()
        with (
            ThreadPoolExecutor(10) as callers,
            closing(sqlite3.connect(lab.input_log, isolation_level=None)) as other,
        ):
            replies = [callers.submit(process, lab, "x", forward=True) for _ in range(10)]
            wait_until(lambda: other.execute("SELECT count(*) FROM inputs").fetchone() == (10,))
            other.execute("BEGIN IMMEDIATE")
            stub.released.set()
            assert [reply.result()[0] for reply in replies] == [200] * 10
            wait_until(lambda: "outcomes could not be logged" in lab.a.read_output())
            other.execute("ROLLBACK")

        outcomes = {row["outcome"] for row in lab.read_inputs()}
    finally:
        lab.print_output()
        lab.stop()
    assert outcomes == {"predicted"}
