"""Watching for new versions, in threads beside the event loop."""

import asyncio
import queue
import threading
from collections.abc import Sequence
from concurrent.futures import Future
from typing import Protocol


class Watched(Protocol):
    """What is checked from time to time."""

    def check(self) -> None: ...


class Watcher:
    """Checks each deployment every `interval_seconds`, and at once when asked.

    Each has a thread of its own, so that a source that hangs delays only its own model. The
    threads are daemons: a source that hangs doesn't keep the process from ending.
    """

    def __init__(self, deployments: Sequence[Watched], interval_seconds: float) -> None:
        self._interval_seconds = interval_seconds
        self._requests = {each: queue.SimpleQueue[Future[None] | None]() for each in deployments}

    def start(self) -> None:
        """Begin to watch; the first check is when one is asked for, or after the interval."""
        for deployment in self._requests:
            threading.Thread(target=self._watch, args=(deployment,), daemon=True).start()

    def stop(self) -> None:
        """End after the checks under way."""
        for requests in self._requests.values():
            requests.put(None)

    async def check_now(self, timeout_seconds: float) -> None:
        """Wait for a check of every deployment that begins after this call, up to the timeout."""
        done = []
        for requests in self._requests.values():
            request: Future[None] = Future()
            requests.put(request)
            done.append(asyncio.wrap_future(request))
        _, late = await asyncio.wait(done, timeout=timeout_seconds)
        for each in late:
            each.cancel()

    def _watch(self, deployment: Watched) -> None:
        while None not in (waiting := self._wait(deployment)):
            deployment.check()
            for request in waiting:
                # A caller that gave up waiting has cancelled its request.
                if request is not None and request.set_running_or_notify_cancel():
                    request.set_result(None)

    def _wait(self, deployment: Watched) -> list[Future[None] | None]:
        """Wait for requests, for one interval at most, and give all that there are."""
        requests = self._requests[deployment]
        try:
            waiting = [requests.get(timeout=self._interval_seconds)]
        except queue.Empty:
            return []
        while not requests.empty():
            waiting.append(requests.get())
        return waiting
