"""Facts of the machine and the versions, so that figures can be judged later."""

import os
import platform
import subprocess
import time
from datetime import UTC, datetime
from importlib.metadata import distributions
from pathlib import Path
from statistics import median

from benchmarks.lineup import ROOT

Facts = dict[str, str]

_SERVICES: dict[str, tuple[str, ...]] = {
    "service_a": ("fastapi", "uvicorn", "uvloop", "pydantic", "requests", "sqlalchemy"),
    "service_b": ("fastapi", "uvicorn", "uvloop", "pydantic", "numpy", "scikit-learn"),
}
_PEERS: dict[str, tuple[str, ...]] = {
    "benchmarks/peers/original": ("fastapi", "uvicorn", "requests", "pandas", "scikit-learn"),
    "benchmarks/peers/mlflow": ("mlflow", "fastapi", "uvicorn"),
    "benchmarks/peers/mlserver": ("mlserver", "fastapi", "uvicorn"),
    "benchmarks/peers/bentoml": ("bentoml", "starlette", "uvicorn"),
    "benchmarks/peers/litserve": ("litserve", "fastapi", "uvicorn"),
}
_QUALITY: dict[str, tuple[str, ...]] = {
    "benchmarks/peers/quality": ("catboost", "lightgbm", "scikit-learn", "numpy", "pandas"),
}
_SYNCS = 50


def read_machine(scratch: Path) -> Facts:
    """Describe the machine as it is now; nothing in it names the machine or its folders."""
    return {
        "date": datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC"),
        "revision": _run("git", "-C", str(ROOT), "rev-parse", "--short", "HEAD"),
        "processor": f"{os.cpu_count()} cores, {_read_processor()}",
        "memory": f"{os.sysconf('SC_PHYS_PAGES') * os.sysconf('SC_PAGE_SIZE') / 2**30:.0f} GiB",
        "system": f"{platform.system()} {platform.release().partition('-')[0]}",
        "load average before": f"{os.getloadavg()[0]:.1f}",
        "write and fsync of 4 KiB": f"{_time_sync(scratch):.0f} µs (median)",
        "Python": platform.python_version(),
        "wrk": _run("sh", "-c", "wrk -v | head -1").removeprefix("wrk ").partition(" [")[0],
    }


def read_packages(part: str) -> Facts:
    """List the versions of the packages that count, of the peers where they are installed."""
    beside_others = _SERVICES | _PEERS
    listed = {"compare": beside_others, "peers": beside_others, "quality": _QUALITY}
    facts = {}
    for folder, packages in listed.get(part, _SERVICES).items():
        for site in (ROOT / folder / ".venv/lib").glob("python3*/site-packages"):
            found = {each.name.lower(): each.version for each in distributions(path=[str(site)])}
            versions = [f"{name} {found.get(name, '-')}" for name in packages]
            facts[f"packages of {folder}"] = ", ".join(versions)
    return facts


def _read_processor() -> str:
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return line.partition(": ")[2]
    return platform.machine()


def _time_sync(scratch: Path) -> float:
    """How long the disk takes to make a page durable, in µs: what a commit to the log costs."""
    times = []
    with (scratch / "sync").open("wb") as file:
        for _ in range(_SYNCS):
            started = time.perf_counter()
            file.write(b"x" * 4096)
            file.flush()
            os.fsync(file.fileno())
            times.append(time.perf_counter() - started)
    return median(times) * 1e6


def _run(*command: str) -> str:
    return subprocess.run(command, check=False, capture_output=True, text=True).stdout.strip()
