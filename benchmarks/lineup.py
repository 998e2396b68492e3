"""The servers that are measured, apart from the model servers."""

import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

from benchmarks.houses import Card, House, find_version, read_card, to_training_row
from benchmarks.server import Server
from benchmarks.subject import ECHO, Subject, wrap_data

ROOT = Path(__file__).resolve().parent.parent
PEERS = ROOT / "benchmarks/peers"
REPOSITORY = ROOT / "service_b/models/ames"


class Lineup:
    """Makes servers, and says how they are asked. What they write goes to `scratch`.

    Both services come from the tree at `root`; `plain` names what they do in the plain way.
    """

    def __init__(self, scratch: Path, *, root: Path = ROOT, plain: str = "") -> None:
        version = find_version(REPOSITORY)
        self.card: Card = read_card(version)
        self.scratch = scratch
        self.model_file = version / self.card["artifact"]["file"]
        self._root = root
        self._environment = {"PORT": "{port}", "LAB_PLAIN": plain}

    def make_services(self, settings: Mapping[str, str] | None = None) -> tuple[Server, Server]:
        """Service A, and the Service B that it asks; with settings that both have."""
        b = self.make_service_b(settings=settings)
        return self.make_service_a(b, settings=settings), b

    def make_service_b(
        self,
        *,
        replicas: int | None = None,
        settings: Mapping[str, str] | None = None,
        host: str = "127.0.0.1",
        port: int | None = None,
    ) -> Server:
        """Service B; as `replicas` processes behind one port."""
        name, workers_environment = _name_processes("Service B", "replica", replicas)
        environment = self._environment | workers_environment | {"HOST": host, **(settings or {})}
        folder = self._root / "service_b"
        return self.make_server(name, folder, ["main.py"], environment, host=host, port=port)

    def make_service_a(
        self,
        b: Server,
        *,
        log: str = "inputs.db",
        workers: int | None = None,
        settings: Mapping[str, str] | None = None,
        within: Sequence[str] = (),
    ) -> Server:
        """Service A in front of `b`; with `workers`, so many processes on one log.

        `within` is a command that runs it.
        """
        name, workers_environment = _name_processes("Service A", "worker", workers)
        environment = (
            self._environment
            | workers_environment
            | {
                "SERVICE_B_URL": f"{b.url}/predict",
                "INPUT_LOG_URL": f"sqlite:///{self.scratch / log}",
                **(settings or {}),
            }
        )
        folder = self._root / "service_a"
        return self.make_server(name, folder, ["main.py"], environment, within=within)

    def make_limits(self) -> list[Subject]:
        """Servers that only give the request back, on the packages of Service A."""
        python = ROOT / "service_a/.venv/bin/python"
        folder = ROOT / "benchmarks/limits"
        subjects = []
        for name, app, settings in [
            (ECHO, "fast", "FastAPI; model_validate_json, then the raw bytes back"),
            ("bare ASGI echo", "bare", "no framework, nothing checked"),
        ]:
            command = ["-m", "uvicorn", f"echo:{app}", "--port", "{port}"]
            command += ["--no-access-log", "--log-level", "warning"]
            server = self.make_server(name, folder, command, python=python)
            subjects.append(Subject(name, (server,), "/echo", wrap_data, settings=settings))
        return subjects

    def make_original(self) -> Subject:
        """Two services as such labs write them."""
        folder = PEERS / "original"
        prepare_venv(folder)
        command = ["-m", "uvicorn", "--port", "{port}", "--log-level", "info"]
        environment = {"MODEL_FILE": str(self.model_file), "PYTHONPATH": str(ROOT / "service_b")}
        b = self.make_server("original B", folder, [*command, "service_b:app"], environment)
        environment = {"SERVICE_B_URL": f"{b.url}/predict"}
        a = self.make_server("original A", folder, [*command, "service_a:app"], environment)
        return Subject(
            "the original way, two hops",
            (a, b),
            "/process",
            lambda house: {"data": self.write_row(house)},
            lambda answer: float(answer["model_prediction"]["prediction"]),
            "thread per call, requests.post per call, pipeline on a DataFrame, no log on disk",
        )

    def make_server(
        self,
        name: str,
        folder: Path,
        arguments: Sequence[str],
        environment: Mapping[str, str] | None = None,
        *,
        python: Path | None = None,
        health: str = "/health",
        host: str = "127.0.0.1",
        port: int | None = None,
        within: Sequence[str] = (),
    ) -> Server:
        """Make a server that is run in `folder`, by the Python of the venv there."""
        return Server(
            name,
            [*within, python or folder / ".venv/bin/python", *arguments],
            cwd=folder,
            output=self.scratch / f"{name}.log",
            environment=environment,
            health=health,
            host=host,
            port=port,
        )

    def write_row(self, house: House) -> House:
        """Write a house as the pipeline takes it."""
        return to_training_row(self.card, house)


def prepare_venv(folder: Path) -> None:
    """Make or refresh the venv in a folder, from its requirements.txt."""
    command = ["./run_services.sh", "--prepare", "requirements.txt"]
    subprocess.run([*command, str(folder.relative_to(ROOT))], cwd=ROOT, check=True)


def _name_processes(service: str, kind: str, count: int | None) -> tuple[str, dict[str, str]]:
    """Give the name and the settings of a service, by itself or as `count` processes."""
    if count is None:
        return service, {}
    return f"{service} with {count} {kind}{'s' * (count > 1)}", {"WORKERS": str(count)}
