import asyncio
import threading

import pytest

from predictor.versions.watcher import Watcher

TIMEOUT_SECONDS = 120


class FakeDeployment:
    """Counts its checks; each waits until it is released."""

    def __init__(self) -> None:
        self.checks = 0
        self.begun = threading.Semaphore(0)
        self.released = threading.Event()
        self.released.set()

    def check(self) -> None:
        self.begun.release()
        assert self.released.wait(TIMEOUT_SECONDS)
        self.checks += 1


@pytest.fixture
def deployment() -> FakeDeployment:
    return FakeDeployment()


def test_every_deployment_is_checked_before_the_caller_goes_on(deployment: FakeDeployment) -> None:
    other = FakeDeployment()
    watcher = Watcher([deployment, other], interval_seconds=3600)
    watcher.start()
    asyncio.run(watcher.check_now(TIMEOUT_SECONDS))
    assert (deployment.checks, other.checks) == (1, 1)
    watcher.stop()


def test_deployment_is_checked_again_and_again_when_nobody_asks(deployment: FakeDeployment) -> None:
    watcher = Watcher([deployment], interval_seconds=0.001)
    watcher.start()
    for _ in range(3):
        assert deployment.begun.acquire(timeout=TIMEOUT_SECONDS)
    watcher.stop()


def test_source_that_hangs_holds_up_neither_the_caller_nor_other_models(
    deployment: FakeDeployment,
) -> None:
    hanging = FakeDeployment()
    hanging.released.clear()
    watcher = Watcher([hanging, deployment], interval_seconds=3600)
    watcher.start()
    asyncio.run(watcher.check_now(timeout_seconds=0.01))
    assert hanging.begun.acquire(timeout=TIMEOUT_SECONDS)
    assert deployment.begun.acquire(timeout=TIMEOUT_SECONDS)
    hanging.released.set()
    asyncio.run(watcher.check_now(TIMEOUT_SECONDS))
    assert hanging.checks == 2
    watcher.stop()


def test_callers_who_ask_during_a_check_share_the_next_one(deployment: FakeDeployment) -> None:
    watcher = Watcher([deployment], interval_seconds=3600)
    deployment.released.clear()

    async def run() -> None:
        first = asyncio.create_task(watcher.check_now(TIMEOUT_SECONDS))
        await asyncio.to_thread(deployment.begun.acquire)
        later = [asyncio.create_task(watcher.check_now(TIMEOUT_SECONDS)) for _ in range(5)]
        await asyncio.sleep(0)  # all of them ask
        deployment.released.set()
        await asyncio.gather(first, *later)

    watcher.start()
    asyncio.run(run())
    assert deployment.checks == 2
    watcher.stop()
