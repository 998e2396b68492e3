"""An export that is continued again and again while two gateways write to one log."""

import json
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path

import pytest
import requests

from tests.running_lab import WAIT_SECONDS, Lab, Service, wait_until
from tests.test_gateway_log_files import Caller

OVERLAP = timedelta(minutes=1)


class Export:
    """Continues as the documents say: from some time before the last line, by number."""

    def __init__(self, gateway: Service) -> None:
        self._url = f"{gateway.url}/inputs/export"
        self._last: datetime | None = None
        self.names: dict[int, str] = {}

    def go_on(self) -> None:
        since = {} if self._last is None else {"received_from": (self._last - OVERLAP).isoformat()}
        with requests.get(self._url, params=since, stream=True, timeout=WAIT_SECONDS) as reply:
            assert reply.status_code == 200
            for line in reply.iter_lines():
                row = json.loads(line)
                self.names[row["number"]] = row["data"]
                self._last = datetime.fromisoformat(row["received_at"])


@pytest.fixture
def gateways(tmp_path: Path) -> Iterator[list[Service]]:
    lab = Lab(tmp_path)
    gateways = [lab.a, Service("service_a", tmp_path / "other.log", lab.a.environment)]
    yield gateways
    for gateway in gateways:
        if gateway.runs:
            gateway.kill()


def test_export_that_is_continued_is_complete_when_several_gateways_write(
    gateways: list[Service],
) -> None:
    for gateway in gateways:
        gateway.start()
    callers = [Caller(number, gateways[number % 2]) for number in range(6)]
    for caller in callers:
        caller.start()
    export = Export(gateways[0])

    def go_on_until_there_are_many() -> bool:
        export.go_on()
        return len(export.names) > 600

    wait_until(go_on_until_there_are_many)
    gateways[1].kill()
    for caller in callers[1::2]:
        caller.join()
    for caller in callers[::2]:
        caller.phase = 1
    acknowledged = set().union(*(caller.acknowledged[0] for caller in callers))
    export.go_on()
    gateways[0].kill()
    for caller in callers:
        caller.join()

    assert acknowledged <= set(export.names.values())
    assert len(set(export.names.values())) == len(export.names)
