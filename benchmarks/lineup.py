"""What is measured: servers, and how each is asked for the price of a house."""

import subprocess
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.houses import Card, House, read_card, to_training_row
from benchmarks.server import Server, find_free_port

ROOT = Path(__file__).resolve().parent.parent
PEERS = ROOT / "benchmarks/peers"
MODEL = ROOT / "service_b/models/ames/1"


@dataclass(frozen=True)
class Subject:
    """A server, the others that it needs, and one kind of request to it.

    `read_price` finds the price of the house in an answer; None where there is none.
    """

    name: str
    servers: tuple[Server, ...]
    path: str
    write_body: Callable[[House], object]
    read_price: Callable[[Any], float] | None = None
    settings: str = ""

    @property
    def url(self) -> str:
        return self.servers[0].url + self.path


class Lineup:
    """Makes servers and subjects. Files that they write go to `scratch`."""

    def __init__(self, scratch: Path) -> None:
        self.card: Card = read_card(MODEL)
        self._scratch = scratch
        self._model_file = MODEL / "model.joblib"

    def make_service_b(self) -> Server:
        return self._make("Service B", ROOT / "service_b", ["main.py"], {"PORT": "{port}"})

    def make_service_a(
        self, b: Server, *, log: str = "inputs.db", workers: int | None = None
    ) -> Server:
        """Service A in front of `b`; with `workers`, so many processes on one log."""
        command = ["main.py"]
        name = "Service A"
        if workers:
            name += f" with {workers} worker" + "s" * (workers > 1)
            command = ["-m", "uvicorn", "main:app", "--port", "{port}", "--workers", f"{workers}"]
            command += ["--no-access-log", "--log-level", "warning"]
        environment = {
            "PORT": "{port}",
            "SERVICE_B_URL": f"{b.url}/predict",
            "INPUT_LOG_URL": f"sqlite:///{self._scratch / log}",
        }
        return self._make(name, ROOT / "service_a", command, environment)

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
            server = self._make(name, folder, command, python=python)
            subjects.append(Subject(name, (server,), "/echo", wrap_data, settings=settings))
        return subjects

    def make_original(self) -> Subject:
        """Two services as such labs write them."""
        folder = PEERS / "original"
        command = ["-m", "uvicorn", "--port", "{port}", "--log-level", "info"]
        environment = {"MODEL_FILE": str(self._model_file), "PYTHONPATH": str(ROOT / "service_b")}
        b = self._make("original B", folder, [*command, "service_b:app"], environment)
        environment = {"SERVICE_B_URL": f"{b.url}/predict"}
        a = self._make("original A", folder, [*command, "service_a:app"], environment)
        return Subject(
            "the original way, two hops",
            (a, b),
            "/process",
            lambda house: {"data": self._row(house)},
            lambda answer: float(answer["model_prediction"]["prediction"]),
            "thread per call, requests.post per call, pipeline on a DataFrame, no log on disk",
        )

    def make_peers(self) -> list[Subject]:
        """Model servers with the same model, one hop; installs them first."""
        for peer in ("mlflow", "mlserver", "bentoml", "litserve"):
            prepare_venv(PEERS / peer)
        return [
            self._make_mlflow(),
            self._make_mlserver(),
            *(self._make_bentoml(batched) for batched in (False, True)),
            *(self._make_litserve(batched) for batched in (False, True)),
        ]

    def _make_mlflow(self) -> Subject:
        folder = PEERS / "mlflow"
        saved = self._scratch / "mlflow"
        subprocess.run(
            [folder / ".venv/bin/python", folder / "save.py", self._model_file, saved],
            env={"PYTHONPATH": str(ROOT / "service_b")},
            check=True,
            capture_output=True,
        )
        command = ["-m", "mlflow", "models", "serve", "--model-uri", str(saved)]
        command += ["--port", "{port}", "--workers", "1", "--env-manager", "local"]
        return Subject(
            "MLflow",
            (self._make_peer("MLflow", folder, command),),
            "/invocations",
            self._write_frame,
            lambda answer: float(answer["predictions"][0]),
            "mlflow models serve --workers 1 --env-manager local; dataframe_split of one row",
        )

    def _write_frame(self, house: House) -> object:
        row = self._row(house)
        return {"dataframe_split": {"columns": list(row), "data": [list(row.values())]}}

    def _make_mlserver(self) -> Subject:
        environment = {
            "MLSERVER_MODEL_NAME": "ames",
            "MLSERVER_MODEL_IMPLEMENTATION": "mlserver_sklearn.SKLearnModel",
            "MLSERVER_MODEL_URI": str(self._model_file),
            "MLSERVER_HTTP_PORT": "{port}",
            "MLSERVER_GRPC_PORT": str(find_free_port()),
            "MLSERVER_METRICS_PORT": str(find_free_port()),
            "MLSERVER_HOST": "127.0.0.1",
        }
        # It looks for models in the folder that it is given: an empty one.
        empty = self._scratch / "mlserver"
        empty.mkdir()
        command = ["-m", "mlserver.cli.main", "start", str(empty)]
        server = self._make_peer(
            "MLServer", PEERS / "mlserver", command, environment, health="/v2/health/ready"
        )
        return Subject(
            "MLServer",
            (server,),
            "/v2/models/ames/infer",
            lambda house: {
                "parameters": {"content_type": "pd"},
                "inputs": [_write_tensor(*each) for each in self._row(house).items()],
            },
            lambda answer: float(answer["outputs"][0]["data"][0]),
            "mlserver start, its own one inference worker; content type pd of one row",
        )

    def _make_bentoml(self, batched: bool) -> Subject:
        kind, settings = (
            ("Batched", "batchable=True, max_batch_size=128, max_latency_ms=10000")
            if batched
            else ("Documented", "workers=1; a DataFrame of one row")
        )
        command = ["-m", "bentoml", "serve", f"service:{kind}", "--port", "{port}"]
        command += ["--host", "127.0.0.1"]
        environment = {"BENTOML_DO_NOT_TRACK": "True", "BENTOML_HOME": str(self._scratch / "bento")}
        name = "BentoML, batching" if batched else "BentoML"
        server = self._make_peer(name, PEERS / "bentoml", command, environment, health="/readyz")
        if not batched:
            return Subject(
                name,
                (server,),
                "/predict",
                lambda house: {"house": self._row(house)},
                float,
                settings,
            )
        return Subject(
            name,
            (server,),
            "/predict",
            lambda house: {"houses": [self._row(house)]},
            lambda answer: float(answer[0]),
            settings,
        )

    def _make_litserve(self, batched: bool) -> Subject:
        kind, settings = (
            ("batched", "max_batch_size=64, batch_timeout=0.001, one worker, one API server")
            if batched
            else ("documented", "one worker, one API server; a DataFrame of one row")
        )
        name = "LitServe, batching" if batched else "LitServe"
        server = self._make_peer(name, PEERS / "litserve", ["server.py", kind, "{port}"])
        return Subject(
            name,
            (server,),
            "/predict",
            self._row,
            lambda answer: float(answer["price"]),
            settings,
        )

    def _make_peer(
        self,
        name: str,
        folder: Path,
        arguments: Sequence[str],
        environment: dict[str, str] | None = None,
        health: str = "/health",
    ) -> Server:
        # Some start programs of their venv by name.
        own = {
            "PATH": f"{folder / '.venv/bin'}:/usr/bin:/bin",
            "PYTHONPATH": str(ROOT / "service_b"),
            "MODEL_FILE": str(self._model_file),
        }
        return self._make(name, folder, arguments, own | (environment or {}), health=health)

    def _make(
        self,
        name: str,
        folder: Path,
        arguments: Sequence[str],
        environment: dict[str, str] | None = None,
        *,
        python: Path | None = None,
        health: str = "/health",
    ) -> Server:
        return Server(
            name,
            [python or folder / ".venv/bin/python", *arguments],
            cwd=folder,
            output=self._scratch / f"{name}.log",
            environment=environment,
            health=health,
        )

    def _row(self, house: House) -> House:
        return to_training_row(self.card, house)


ECHO = "FastAPI echo"


def prepare_venv(folder: Path) -> None:
    """Make or refresh the venv in a folder, from its requirements.txt."""
    command = [ROOT / "run_services.sh", "--prepare", "requirements.txt", folder.relative_to(ROOT)]
    subprocess.run(command, check=True)


def make_process(a: Server, b: Server) -> Subject:
    """`/process` with a forward."""
    return Subject(
        "Service A /process, two hops",
        (a, b),
        "/process",
        wrap_data,
        lambda answer: float(answer["model_prediction"]["prediction"]["price"]),
        "as it comes: input and outcome on disk (synchronous=FULL), request log at INFO",
    )


def make_process_log_only(a: Server) -> Subject:
    """`/process` without a forward."""
    return Subject(
        "Service A /process, log only",
        (a,),
        "/process",
        lambda house: {"data": house, "forward_to_model": False},
        settings="the same, with forward_to_model false",
    )


def make_predict(b: Server) -> Subject:
    """Service B alone."""
    return Subject(
        "Service B /predict, one hop",
        (b,),
        "/predict",
        lambda house: {"input": house},
        lambda answer: float(answer["prediction"]["price"]),
        "as it comes",
    )


def wrap_data(house: House) -> object:
    """Write the body of `/process`."""
    return {"data": house, "forward_to_model": True}


def _write_tensor(name: str, value: object) -> dict[str, object]:
    if isinstance(value, str):
        text = {"datatype": "BYTES", "parameters": {"content_type": "str"}}
        return {"name": name, "shape": [1, 1], "data": [value], **text}
    datatype = "INT64" if isinstance(value, int) else "FP64"
    return {"name": name, "shape": [1, 1], "data": [value], "datatype": datatype}
