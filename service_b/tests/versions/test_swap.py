"""Versions replaced while callers keep asking, over real sockets."""

import json
import random
import signal
import socket
import sys
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.client import HTTPConnection
from pathlib import Path
from typing import Any

from predictor.settings import Settings
from tests.service_process import MAIN, find_free_port, request, start

SWAPS = 50
CLIENTS = 32
BATCH = 10


def promote(models_folder: Path, version: str) -> None:
    """Move the alias, whole or not at all, as `training promote` does."""
    file = models_folder / "tiny" / "alias.json"
    new = file.with_suffix(".new")
    new.write_text(json.dumps({"champion": version, "history": []}))
    new.replace(file)


def reload(port: int) -> Any:
    answer, content = request(port, "POST", "/reload")
    assert answer.status == 200
    (state,) = content["models"]
    return state


def ask(connection: HTTPConnection, path: str, body: Any) -> tuple[int, Any]:
    connection.request("POST", path, json.dumps(body), {"Content-Type": "application/json"})
    answer = connection.getresponse()
    return answer.status, json.loads(answer.read())


def read_memory_bytes(pid: int) -> int:
    pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    return pages * 4096


class Callers:
    """Clients that predict without pause and compare each price with what its version says."""

    def __init__(self, port: int, houses: list[Any], expected: dict[str, list[float]]) -> None:
        self._port = port
        self._houses = houses
        self._expected = expected
        self._stopped = threading.Event()
        self.answers: Counter[str] = Counter()
        self.failures: list[str] = []

    @contextmanager
    def call(self) -> Iterator[None]:
        threads = [threading.Thread(target=self._run, args=(seed,)) for seed in range(CLIENTS)]
        for thread in threads:
            thread.start()
        try:
            yield
        finally:
            self._stopped.set()
            for thread in threads:
                thread.join()

    def _run(self, seed: int) -> None:
        chance = random.Random(seed)
        connection = HTTPConnection("127.0.0.1", self._port, timeout=300)
        while not self._stopped.is_set():
            try:
                if chance.random() < 0.5:
                    self._ask_one(connection, chance.randrange(len(self._houses)))
                else:
                    self._ask_many(connection, chance.sample(range(len(self._houses)), BATCH))
            except Exception as error:
                self.failures.append(repr(error))
                break
        connection.close()

    def _ask_one(self, connection: HTTPConnection, index: int) -> None:
        status, answer = ask(connection, "/predict", {"input": self._houses[index]})
        assert status == 200, (status, answer)
        self._check(answer["prediction"], index)

    def _ask_many(self, connection: HTTPConnection, indices: list[int]) -> None:
        houses = [self._houses[index] for index in indices]
        status, answer = ask(connection, "/predict/batch", {"inputs": houses})
        assert status == 200, (status, answer)
        predictions = [result["prediction"] for result in answer["results"]]
        assert len({each["model_version"] for each in predictions}) == 1, "mixed"
        for prediction, index in zip(predictions, indices, strict=True):
            self._check(prediction, index)

    def _check(self, prediction: Any, index: int) -> None:
        version = prediction["model_version"]
        assert prediction["price"] == self._expected[version][index], (prediction, index)
        self.answers[version] += 1


def write_bad_versions(
    write_version: Callable[..., Path], house: dict[str, Any], artifact: bytes
) -> dict[str, str]:
    """Write versions that must never serve; give what is wrong with each."""
    damaged = bytearray(artifact)
    damaged[len(damaged) // 2] ^= 255
    (write_version("11") / "model.joblib").write_bytes(damaged)
    write_version("12", artifact={"file": "model.joblib", "sha256": "0" * 64})
    write_version("13", libraries={"scikit-learn": "0.24.2"})
    write_version("14", golden=[{"input": house, "price": 1.0}])
    write_version("15", pickle=artifact[:-100])
    (write_version("16") / "card.json").write_text("{")
    return {
        "11": "sha256 is",
        "12": "sha256 is",
        "13": "was trained with scikit-learn 0.24.2",
        "14": "golden prediction 1 is",
        "15": "can't be loaded",
        "16": "card.json: ",
    }


def test_no_request_fails_and_no_batch_is_mixed_while_versions_are_swapped(
    settings: Settings,
    models_folder: Path,
    write_version: Callable[..., Path],
    house: dict[str, Any],
    artifact: bytes,
    dear_artifact: bytes,
) -> None:
    houses = [house | {"first_flr_sf": 400 + 20 * index} for index in range(100)]
    write_version("1")
    write_version("2", pickle=dear_artifact)
    bad = write_bad_versions(write_version, house, artifact)
    promote(models_folder, "1")
    port = find_free_port()
    with start(port, *MAIN, PREDICTOR_MODELS=str(settings.models)) as service:
        expected = {}
        for version in ("1", "2"):
            promote(models_folder, version)
            assert reload(port)["version"] == version
            _, answer = request(
                port, "POST", "/predict/batch", json.dumps({"inputs": houses}).encode()
            )
            expected[version] = [each["prediction"]["price"] for each in answer["results"]]
        assert expected["2"][0] > 1.5 * expected["1"][0]

        callers = Callers(port, houses, expected)
        memory_bytes = []
        with callers.call():
            for number in range(SWAPS):
                good = "12"[number % 2]
                promote(models_folder, good)
                state = reload(port)
                assert (state["version"], state["last_error"]) == (good, None)
                if number % 4 == 0:
                    version = list(bad)[number // 4 % len(bad)]
                    promote(models_folder, version)
                    state = reload(port)
                    assert (state["version"], state["candidate"]) == (good, version)
                    assert bad[version] in state["last_error"]
                assert not callers.failures
                memory_bytes.append(read_memory_bytes(service.pid))
    assert callers.failures == []
    assert min(callers.answers.values()) > 100
    assert memory_bytes[-1] < memory_bytes[SWAPS // 2] + 10 * 2**20


def test_version_is_served_without_being_asked_for_when_it_appears(
    settings: Settings, write_version: Callable[..., Path], house: dict[str, Any]
) -> None:
    port = find_free_port()
    variables = {"PREDICTOR_MODELS": str(settings.models), "PREDICTOR_WATCH_SECONDS": "0.1"}
    body = json.dumps({"input": house}).encode()
    with start(port, *MAIN, **variables) as service:
        assert request(port, "GET", "/livez")[0].status == 200
        for answer, _ in (request(port, "GET", "/health"), request(port, "POST", "/predict", body)):
            assert answer.status == 503
            assert answer.headers["Retry-After"]
        for version in ("1", "2"):
            write_version(version)
            service.wait_for(f'event="model is loaded" model=tiny version={version}')
            assert request(port, "GET", "/health")[1]["model_version"] == version
        assert request(port, "POST", "/predict", body)[1]["prediction"]["model_version"] == "2"


def test_service_starts_and_ends_while_its_source_hangs(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as hanging:
        url = f"http://127.0.0.1:{hanging.getsockname()[1]}/tiny"
        models = tmp_path / "models.yaml"
        models.write_text(f"models: [{{name: tiny, default: true, sources: ['{url}']}}]")
        variables = {"PREDICTOR_MODELS": str(models), "PREDICTOR_ALLOWED_SOURCES": '["http:"]'}
        # Only the time that it waits for its sources is another: the real one is long.
        code = (
            "import predictor.app, runpy; predictor.app.FIRST_CHECK_SECONDS = 2;"
            "runpy.run_path('main.py', run_name='__main__')"
        )
        port = find_free_port()
        with start(port, sys.executable, "-c", code, **variables) as service:
            assert request(port, "GET", "/livez")[0].status == 200
            assert request(port, "GET", "/health")[0].status == 503
            service.signal(signal.SIGTERM)
            assert service.wait()[0] == 0
