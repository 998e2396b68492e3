"""Both services: started one after the other, watched, and stopped the other way round."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import IO

from lab.calls import Answer, NoAnswer, call
from lab.environment import make_environment
from lab.errors import LabFailure, Stopped
from lab.keeper import OWN_GROUP, OWN_GROUP_FLAG
from lab.output import colour, has_colours
from lab.settings import Settings
from lab.stop_signals import ignore_signals

_COLOURS = {"A": 36, "B": 35}


class Service:
    """One service, which runs from when this is made until it is stopped."""

    def __init__(
        self, letter: str, port: int, settings: dict[str, str], output: IO[bytes] | None
    ) -> None:
        self._name = f"Service {letter}"
        self._url = f"http://127.0.0.1:{port}"
        prefix = f"{letter} | "
        if output is None:
            prefix = colour(prefix, _COLOURS[letter])
        own = {"HOST": "127.0.0.1", "PORT": str(port), "PYTHONUNBUFFERED": "1"}
        if output is None and has_colours():
            own["FORCE_COLOR"] = "1"  # the keeper's pipe is no terminal
        self._keeper = subprocess.Popen(
            [sys.executable, "-Esm", "lab.keeper", f"service_{letter.lower()}", prefix],
            env=make_environment(**own, **settings),
            stdin=subprocess.PIPE,
            stdout=output,
            stderr=output,
            process_group=OWN_GROUP,
            creationflags=OWN_GROUP_FLAG,
        )

    def wait_until_healthy(self, timeout_seconds: float) -> None:
        deadline = time.monotonic() + timeout_seconds
        while (health := self._ask("/health")) is None or health.status != 200:
            self.check_runs()
            if health and (reason := _find_end(health)):
                raise LabFailure(f"{self._name} has no model: {reason}. Its log is above.")
            if time.monotonic() >= deadline:
                problem = f"is not healthy after {timeout_seconds} s (START_TIMEOUT_SECONDS)."
                if (alive := self._ask("/livez")) and alive.status == 200:
                    problem = (
                        f"runs but has no model after {timeout_seconds} s: its /health is not 200;"
                        " its log above says why."
                    )
                raise LabFailure(f"{self._name} {problem}")
            time.sleep(0.1)

    def check_runs(self) -> None:
        status = self._keeper.poll()
        if status is not None:
            # The keeper says as a shell does by which signal a service was ended.
            by = f" (signal {status - 128})" if 128 < status < 256 else ""
            raise LabFailure(f"{self._name} ended with status {status}{by}; its log is above.")

    def stop(self) -> None:
        """Have the service end, and return when it has."""
        self._keeper.communicate()  # closes the keeper's input

    def _ask(self, path: str) -> Answer | None:
        try:
            return call(self._url + path, timeout_seconds=2)
        except NoAnswer:
            return None


def _find_end(health: Answer) -> str | None:
    """Return why there is no model, where none will come by itself either."""
    try:
        content = json.loads(health.text)
    except ValueError:
        return None
    final = isinstance(content, dict) and content.get("may_come") is False
    return str(content["reason"]) if final and content.get("reason") else None


@contextmanager
def run_both(
    settings: Settings, more: Mapping[str, str], output: IO[bytes] | None = None
) -> Iterator[list[Service]]:
    """Have both services healthy as long as the context lasts, with `more` in their environment.

    A is stopped first: what it has under way still gets B's answer.
    """
    services: list[Service] = []
    environment = {"SERVICE_B_URL": settings.service_b_url, **more}
    try:
        for letter, port in (("B", settings.b_port), ("A", settings.a_port)):
            services.insert(0, Service(letter, port, environment, output))
            services[0].wait_until_healthy(settings.timeout_seconds)
        yield services
    except Stopped as stopped:
        if stopped.number == signal.SIGINT:
            print("Stopping both services")
        raise
    finally:
        ignore_signals()
        for service in services:
            service.stop()


def watch(services: list[Service], parent: int | None) -> None:
    """Never return: a service that ends is a failure, and the parent's end is the lab's own."""
    while parent in (None, os.getppid()):
        for service in services:
            service.check_runs()
        time.sleep(0.2)
    raise Stopped(signal.SIGTERM)
