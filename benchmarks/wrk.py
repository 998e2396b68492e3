"""The load generator wrk, with one thread for each server: https://github.com/wg/wrk."""

import json
import os
import shutil
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

_SCRIPT = Path(__file__).with_name("wrk.lua")
# A slow server may take seconds for 64 callers at once; that is an answer, not a failure.
_TIMEOUT_SECONDS = 60


@dataclass(frozen=True)
class Load:
    """What came of one run. Latencies are those that the callers saw."""

    requests: int
    failures: int
    seconds: float
    p50_ms: float
    p99_ms: float

    @property
    def requests_per_second(self) -> float:
        return (self.requests - self.failures) / self.seconds


def is_installed() -> bool:
    """Say whether wrk can be run."""
    return shutil.which("wrk") is not None


def run_wrk(
    url: str,
    bodies: Path | None,
    *,
    connections: int,
    seconds: float,
    pause_ms: int = 0,
    ports: Sequence[int] = (),
) -> Load:
    """Post the bodies, one after the other on each connection, for so long; without, get.

    Before each request, a connection pauses for `pause_ms` in the mean. With `ports`, each gets
    the same share of the connections.
    """
    command = ["wrk", f"--threads={len(ports) or 1}", f"--connections={connections}"]
    command += [f"--duration={seconds:.0f}s", f"--timeout={_TIMEOUT_SECONDS}s"]
    command += [f"--script={_SCRIPT}", url]
    if bodies:
        command += ["--", str(bodies)]
    environment = os.environ | {"PAUSE_MS": str(pause_ms), "PORTS": " ".join(map(str, ports))}
    finished = subprocess.run(command, check=True, capture_output=True, text=True, env=environment)
    result = json.loads(finished.stdout.splitlines()[-1])
    return Load(
        requests=result["requests"],
        failures=result["failures"],
        seconds=result["duration_us"] / 1e6,
        p50_ms=result["p50_us"] / 1e3,
        p99_ms=result["p99_us"] / 1e3,
    )
