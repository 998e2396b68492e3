"""Two gateways whose common log is taken away from under them in the middle of load."""

import sqlite3
import threading
from contextlib import closing
from pathlib import Path

import pytest
import requests

from tests.running_lab import WAIT_SECONDS, Lab, Service, wait_until

CALLERS = 6
ACKNOWLEDGED = 100


class Caller(threading.Thread):
    """Posts to a gateway until it is gone; `acknowledged` has the names of each phase."""

    def __init__(self, number: int, gateway: Service) -> None:
        super().__init__()
        self._number = number
        self._url = gateway.url
        self.phase = 0
        self.acknowledged: list[set[str]] = [set(), set()]

    def run(self) -> None:
        session = requests.Session()
        for count in range(1_000_000):
            phase, name = self.phase, f"{self._number}-{count}"
            body = {"data": name, "forward_to_model": False}
            try:
                reply = session.post(f"{self._url}/process", json=body, timeout=WAIT_SECONDS)
            except requests.RequestException:
                return
            if reply.status_code == 200:
                self.acknowledged[phase].add(name)


@pytest.mark.parametrize("gone", ["inputs.db", "inputs.db-wal"])
def test_nothing_acknowledged_is_lost_when_a_file_of_the_log_is_deleted(
    request: pytest.FixtureRequest, tmp_path: Path, gone: str
) -> None:
    lab = Lab(tmp_path)
    other = Service("service_a", tmp_path / "other.log", lab.a.environment)
    gateways = [lab.a, other]
    for gateway in gateways:
        gateway.start()
        request.addfinalizer(gateway.kill)
    callers = [Caller(number, gateways[number % 2]) for number in range(CALLERS)]

    def has_acknowledged(phase: int) -> bool:
        return all(len(caller.acknowledged[phase]) > ACKNOWLEDGED / CALLERS for caller in callers)

    for caller in callers:
        caller.start()
    wait_until(lambda: has_acknowledged(0))
    (tmp_path / gone).unlink()
    for caller in callers:
        caller.phase = 1
    wait_until(lambda: has_acknowledged(1))
    health = [requests.get(f"{gateway.url}/health", timeout=WAIT_SECONDS) for gateway in gateways]
    for gateway in gateways:
        gateway.kill()
    for caller in callers:
        caller.join()

    assert [reply.status_code for reply in health] == [200, 200]
    with closing(sqlite3.connect(lab.input_log)) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        found = [data.strip('"') for (data,) in connection.execute("SELECT data FROM inputs")]
    # With the log's own file went what was in it; without the other one nothing is missing.
    for phase in [1] if gone == "inputs.db" else [0, 1]:
        assert set().union(*(caller.acknowledged[phase] for caller in callers)) <= set(found)
    assert len(found) == len(set(found))
