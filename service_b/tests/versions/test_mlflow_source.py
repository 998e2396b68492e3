"""MLflow itself: a real server as a source, a real client as a caller.

The service doesn't need MLflow, and the tests of everything else don't. `.ci/run mlflow` runs
these.
"""

import os
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from predictor.errors import ModelRefused, SourceUnavailable
from predictor.settings import Settings
from predictor.versions.loading import build_loader
from predictor.versions.manifest import ModelEntry
from predictor.versions.mlflow_source import MlflowSource
from tests.service_process import MAIN, Service, find_free_port, run, start

pytest.importorskip("mlflow.server", reason="MLflow is not installed")


@pytest.fixture
def server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Service]:
    """A tracking server with an empty registry, to which MLFLOW_TRACKING_URI leads."""
    port = find_free_port()
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"http://127.0.0.1:{port}")
    monkeypatch.setenv("MLFLOW_DISABLE_TELEMETRY", "true")
    command = [sys.executable, "-m", "mlflow", "server", "--host", "127.0.0.1", "--workers", "1"]
    command += ["--port", str(port), "--backend-store-uri", f"sqlite:///{tmp_path}/mlflow.db"]
    command += ["--artifacts-destination", str(tmp_path / "artifacts")]
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    with run(command, tmp_path, os.environ | {"PATH": path}, "Uvicorn running on") as service:
        yield service


def register(folder: Path) -> Any:
    """Log a version folder, register it, and let the alias name it."""
    import mlflow

    client = mlflow.MlflowClient()
    if not client.search_registered_models():
        client.create_registered_model("tiny")
    with mlflow.start_run() as run:
        mlflow.log_artifacts(str(folder), f"model/artifacts/{folder.name}")
    source = f"{run.info.artifact_uri}/model"
    version = client.create_model_version("tiny", source, run.info.run_id)
    client.set_registered_model_alias("tiny", "champion", version.version)
    return client


@pytest.mark.filterwarnings("default")
def test_version_of_the_alias_is_loaded_from_a_real_server(
    server: Service, write_version: Callable[..., Path], tmp_path: Path
) -> None:
    source = MlflowSource("models:/tiny@champion")
    with pytest.raises(SourceUnavailable):
        source.find()
    load = build_loader(ModelEntry(name="tiny", sources=["models:/tiny@champion"]))
    fingerprints = []
    for number in ("7", "8"):
        client = register(write_version(number))
        version = source.find()
        fingerprints.append(version.fingerprint)
        with version.open() as folder:
            assert load(folder).version == number  # the card's, not MLflow's
    too_large = MlflowSource("models:/tiny@champion", max_bytes=1000)
    with pytest.raises(ModelRefused, match="more than 1000 bytes"), too_large.find().open():
        pass
    assert source.list_aliases() == []
    client.set_registered_model_alias("tiny", "champion", "1")
    client.set_registered_model_alias("tiny", "challenger", "2")
    assert source.list_aliases() == ["challenger"]
    assert MlflowSource("models:/tiny@challenger").list_aliases() == ["champion"]
    assert source.find("challenger").fingerprint == fingerprints[1]
    assert MlflowSource("models:/tiny/2").list_aliases() == []
    assert source.find().fingerprint == fingerprints[0] != fingerprints[1]
    assert MlflowSource("models:/tiny/2").find().fingerprint == fingerprints[1]
    (tmp_path / "plain").mkdir()
    (tmp_path / "plain/SHA256SUMS").touch()
    register(tmp_path / "plain")
    with source.find().open() as folder:
        assert folder is not None
        assert folder.number == "3"
    server.kill()
    for look in (source.find, source.list_aliases):
        with pytest.raises(SourceUnavailable):
            look()


@pytest.mark.filterwarnings("default")
def test_client_of_mlflow_gets_its_predictions(
    settings: Settings, write_version: Callable[..., Path]
) -> None:
    import pandas as pd
    from mlflow.pyfunc.scoring_server.client import ScoringServerClient

    write_version()
    rows = pd.DataFrame(
        {
            "Id": [1, 2],
            "1stFlrSF": [896, 1200],
            "OverallQual": [5, 6],
            "Neighborhood": ["NAmes", "Veenker"],
            "MSSubClass": [20.0, None],
            "PoolQC": [None, "Gd"],
        }
    )
    port = find_free_port()
    with start(port, *MAIN, PREDICTOR_MODELS=str(settings.models)):
        client = ScoringServerClient("127.0.0.1", port)
        client.wait_server_ready()
        predictions = client.invoke(rows).get_predictions()
        assert predictions.shape == (2, 1)
        assert predictions[0].between(50_000, 300_000).all()
        with pytest.raises(Exception, match=r"error code 400, .*OverallQual: Field required"):
            client.invoke(rows.drop(columns="OverallQual"))
