"""What Service A has acknowledged is in its log, even if it is killed in the middle of load."""

import json
import sqlite3
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import closing
from functools import partial
from pathlib import Path

import pytest
import requests

from tests.running_lab import WAIT_SECONDS, Lab, wait_until
from tests.stub_predictor import StubPredictor

THREADS = 8
ACKNOWLEDGED = 400


class Load:
    """Callers in threads that post until Service A is gone; each input says its own name."""

    def __init__(self, url: str) -> None:
        self._url = url
        self.acknowledged: set[str] = set()
        self.threads = [threading.Thread(target=self._post, args=(i,)) for i in range(THREADS)]
        for thread in self.threads:
            thread.start()

    def _post(self, thread: int) -> None:
        session = requests.Session()
        for count in range(1_000_000):
            name = f"{thread}-{count}"
            # Half of them are forwarded: their rows are written twice.
            body = {"data": {"name": name, "long": name * 100}, "forward_to_model": thread % 2 == 0}
            headers = {"X-Request-ID": name}
            try:
                reply = session.post(
                    f"{self._url}/process", json=body, headers=headers, timeout=WAIT_SECONDS
                )
            except requests.RequestException:
                return
            if reply.status_code == 200:
                self.acknowledged.add(name)


@pytest.fixture
def lab(tmp_path: Path, stub: StubPredictor) -> Iterator[Lab]:
    lab = Lab(tmp_path, service_a={"SERVICE_B_URL": f"{stub.url}/predict"})
    try:
        lab.a.start()
        yield lab
    finally:
        lab.print_output()
        lab.stop()


def has_at_least(names: set[str], count: int) -> bool:
    return len(names) >= count


def test_every_acknowledged_input_is_in_the_log_once_when_service_a_is_killed(lab: Lab) -> None:
    for number in (1, 2):
        load = Load(lab.a.url)
        wait_until(partial(has_at_least, load.acknowledged, ACKNOWLEDGED))
        lab.a.kill()
        for thread in load.threads:
            thread.join()

        lab.a.start()

        assert requests.get(f"{lab.a.url}/health", timeout=WAIT_SECONDS).status_code == 200
        with closing(sqlite3.connect(lab.input_log)) as connection:
            assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)
            rows = connection.execute("SELECT request_id, data, outcome FROM inputs").fetchall()
            connection.execute("DELETE FROM inputs")
            connection.commit()
        counts = Counter(name for name, _, _ in rows)
        assert load.acknowledged <= counts.keys()
        assert set(counts.values()) == {1}
        for name, data, _ in rows:
            assert json.loads(data) == {"name": name, "long": name * 100}
        outcomes = Counter(outcome for name, _, outcome in rows if name in load.acknowledged)
        # An answer waits for its input to be on disk, not for the outcome.
        assert outcomes.pop("pending", 0) <= THREADS
        assert outcomes.keys() == {"logged", "predicted"}
        # Each caller has at most one input under way when the end comes.
        assert len(rows) - len(load.acknowledged) <= THREADS
        print(f"round {number}: {len(load.acknowledged)} acknowledged, {len(rows)} logged")  # noqa: T201
