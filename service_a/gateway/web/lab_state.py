"""The state of the lab, once a second while somebody watches."""

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any

from gateway.intake.lanes import Lanes
from gateway.intake.log_queue import LogQueue
from gateway.telemetry.events import Watchers
from gateway.telemetry.latencies import Latencies
from gateway.web.finding import Finding

_logger = logging.getLogger(__name__)

_PERIOD_SECONDS = 1.0
# A state waits no longer for what is slow to find out, and then has what was found before.
_WAIT_SECONDS = 0.5
# Counting a log of many millions takes a while: it is done for no more than this share of the time.
_COUNT_SHARE = 0.05

Look = Callable[[], Awaitable[Mapping[str, Any]]]
Faults = Callable[[], Sequence[Mapping[str, Any]]]


class LabState:
    """Publishes what every watcher is shown. Belongs to one event loop."""

    def __init__(
        self,
        watchers: Watchers,
        latencies: Latencies,
        lanes: Lanes,
        log_queue: LogQueue,
        *,
        count_log: Look,
        ask_predictor: Look,
        list_faults: Faults,
    ) -> None:
        self._watchers = watchers
        self._latencies = latencies
        self._lanes = lanes
        self._log_queue = log_queue
        self._log = Finding[Mapping[str, Any]](count_log, {}, _COUNT_SHARE)
        self._predictor = Finding[Mapping[str, Any]](
            ask_predictor, {"status": "unreachable", "models": [], "faults": []}
        )
        self._list_faults = list_faults

    async def run(self) -> None:
        """Go on until cancelled; nothing is done while nobody watches."""
        while True:
            await self._watchers.wait()
            next_at = time.monotonic() + _PERIOD_SECONDS
            looks = [self._log.look(), self._predictor.look()]
            await asyncio.wait(looks, timeout=_WAIT_SECONDS)
            try:
                self._watchers.publish("state", self._describe())
            except Exception:
                _logger.exception("the lab's state can't be described")
            await asyncio.sleep(next_at - time.monotonic())

    def _describe(self) -> dict[str, Any]:
        predictor = self._predictor.found
        return {
            "requests_per_second": self._latencies.find_rate(),
            "p50_ms": self._latencies.find_quantile(0.5),
            "p99_ms": self._latencies.find_quantile(0.99),
            "waiting": {"log": self._log_queue.waiting, "forward": self._lanes.waiting},
            "circuit": self._lanes.default_circuit,
            "service_b": {"status": predictor["status"], "models": predictor["models"]},
            "log": self._log.found,
            "faults": {"service_a": self._list_faults(), "service_b": predictor["faults"]},
        }
