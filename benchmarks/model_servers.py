"""Model servers that people would pick instead, each in a venv of its own."""

import subprocess
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Literal, get_args

from benchmarks.houses import House
from benchmarks.lineup import PEERS, REPOSITORY, ROOT, Lineup, prepare_venv
from benchmarks.server import Server, find_free_port
from benchmarks.subject import Subject

# How a model server gets the model: as its documentation shows; with its batching switched on;
# and with Service B's model code inside as well.
Kind = Literal["Documented", "Batching", "Tuned"]
_SUFFIXES: dict[Kind, str] = {
    "Documented": "",
    "Batching": ", batching",
    "Tuned": ", batching, B's model code",
}
_TUNED_SETTINGS: dict[Kind, str] = {
    "Batching": "a DataFrame per batch, OMP_NUM_THREADS=1",
    "Tuned": "inputs checked and priced by Service B's classes, OMP_NUM_THREADS=1",
}
# Threads that share the trees of a small batch spend most of their time waiting for each other.
_TUNED_ENVIRONMENT: dict[Kind, dict[str, str]] = {
    "Documented": {},
    "Batching": {"OMP_NUM_THREADS": "1"},
    "Tuned": {"OMP_NUM_THREADS": "1"},
}


class ModelServers:
    """MLflow, MLServer, BentoML and LitServe with the same model, one hop."""

    def __init__(self, lineup: Lineup) -> None:
        self._lineup = lineup

    def make_subjects(self) -> list[Subject]:
        """Install them, and say how each is asked."""
        for peer in ("mlflow", "mlserver", "bentoml", "litserve"):
            prepare_venv(PEERS / peer)
        return [
            self._make_mlflow(),
            self._make_mlserver(),
            *(self._make_bentoml(kind) for kind in get_args(Kind)),
            *(self._make_litserve(kind) for kind in get_args(Kind)),
        ]

    def _make_mlflow(self) -> Subject:
        folder = PEERS / "mlflow"
        saved = self._lineup.scratch / "mlflow"
        subprocess.run(
            [folder / ".venv/bin/python", folder / "save.py", self._lineup.model_file, saved],
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
        row = self._lineup.write_row(house)
        return {"dataframe_split": {"columns": list(row), "data": [list(row.values())]}}

    def _make_mlserver(self) -> Subject:
        environment = {
            "MLSERVER_MODEL_NAME": "ames",
            "MLSERVER_MODEL_IMPLEMENTATION": "mlserver_sklearn.SKLearnModel",
            "MLSERVER_MODEL_URI": str(self._lineup.model_file),
            "MLSERVER_HTTP_PORT": "{port}",
            "MLSERVER_GRPC_PORT": str(find_free_port()),
            "MLSERVER_METRICS_PORT": str(find_free_port()),
            "MLSERVER_HOST": "127.0.0.1",
        }
        # It looks for models in the folder that it is given: an empty one.
        empty = self._lineup.scratch / "mlserver"
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
                "inputs": [_write_tensor(*each) for each in self._lineup.write_row(house).items()],
            },
            lambda answer: float(answer["outputs"][0]["data"][0]),
            "mlserver start, its own one inference worker; content type pd of one row",
        )

    def _make_bentoml(self, kind: Kind) -> Subject:
        command = ["-m", "bentoml", "serve", f"service:{kind}", "--port", "{port}"]
        command += ["--host", "127.0.0.1"]
        environment = {
            "BENTOML_DO_NOT_TRACK": "True",
            "BENTOML_HOME": str(self._lineup.scratch / "bento"),
        }
        environment |= _TUNED_ENVIRONMENT[kind]
        name = f"BentoML{_SUFFIXES[kind]}"
        server = self._make_peer(name, PEERS / "bentoml", command, environment, health="/readyz")
        write_house = self._choose_form(kind)
        if kind == "Documented":
            return Subject(
                name,
                (server,),
                "/predict",
                lambda house: {"house": write_house(house)},
                float,
                "workers=1; a DataFrame of one row",
            )
        return Subject(
            name,
            (server,),
            "/predict",
            lambda house: {"houses": [write_house(house)]},
            lambda answer: float(answer[0]),
            "workers=1, batchable=True, max_batch_size=128, max_latency_ms=10000; "
            + _TUNED_SETTINGS[kind],
        )

    def _make_litserve(self, kind: Kind) -> Subject:
        name = f"LitServe{_SUFFIXES[kind]}"
        batching = "max_batch_size=64, batch_timeout=0.001; " + _TUNED_SETTINGS.get(kind, "")
        server = self._make_peer(
            name, PEERS / "litserve", ["server.py", kind, "{port}"], _TUNED_ENVIRONMENT[kind]
        )
        return Subject(
            name,
            (server,),
            "/predict",
            self._choose_form(kind),
            lambda answer: float(answer["price"]),
            "one worker, one API server; "
            + ("a DataFrame of one row" if kind == "Documented" else batching),
        )

    def _choose_form(self, kind: Kind) -> Callable[[House], House]:
        """Service B's code takes a house as the service does; the pipeline a training row."""
        return (lambda house: house) if kind == "Tuned" else self._lineup.write_row

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
            "PYTHONPATH": f"{ROOT / 'service_b'}:{PEERS}",
            "MODEL_FILE": str(self._lineup.model_file),
            "MODEL_REPOSITORY": str(REPOSITORY),
        }
        return self._lineup.make_server(
            name, folder, arguments, own | (environment or {}), health=health
        )


def _write_tensor(name: str, value: object) -> dict[str, object]:
    if isinstance(value, str):
        text = {"datatype": "BYTES", "parameters": {"content_type": "str"}}
        return {"name": name, "shape": [1, 1], "data": [value], **text}
    datatype = "INT64" if isinstance(value, int) else "FP64"
    return {"name": name, "shape": [1, 1], "data": [value], "datatype": datatype}
