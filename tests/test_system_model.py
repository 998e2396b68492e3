"""Service B with a model that must not be loaded."""

import hashlib
import json
import pickle
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import requests

from benchmarks.houses import find_version
from tests.running_lab import ROOT, WAIT_SECONDS, Service

HOUSE = {"overall_qual": 7, "gr_liv_area": 1710, "year_built": 2003, "neighborhood": "CollgCr"}


class _Bomb:
    """Leaves a file when it is unpickled."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def __reduce__(self) -> tuple[Any, ...]:
        return Path.touch, (self._path,)


def flip_a_byte(folder: Path, _: bytes) -> None:
    artifact = folder / "model.joblib"
    content = bytearray(artifact.read_bytes())
    content[len(content) // 2] ^= 1
    artifact.write_bytes(content)


def replace_the_artifact(folder: Path, bomb: bytes) -> None:
    (folder / "model.joblib").write_bytes(bomb)


def need_another_library(folder: Path, bomb: bytes) -> None:
    (folder / "model.joblib").write_bytes(bomb)
    card = json.loads((folder / "card.json").read_text(encoding="utf-8"))
    card["artifact"]["sha256"] = hashlib.sha256(bomb).hexdigest()
    card["libraries"]["scikit-learn"] = "0.1"
    (folder / "card.json").write_text(json.dumps(card), encoding="utf-8")


@pytest.mark.parametrize(
    ("spoil", "reason"),
    [
        (flip_a_byte, "sha256 is"),
        (replace_the_artifact, "sha256 is"),
        (need_another_library, "scikit-learn 0.1"),
    ],
)
def test_service_b_runs_on_without_a_model_that_it_must_not_unpickle(
    tmp_path: Path, spoil: Callable[[Path, bytes], None], reason: str
) -> None:
    marker = tmp_path / "unpickled"
    bomb = pickle.dumps(_Bomb(marker))
    pickle.loads(bomb)  # noqa: S301 - our own, and it works
    marker.unlink()
    shipped = find_version(ROOT / "service_b/models/ames")
    version = shutil.copytree(shipped, tmp_path / "models/ames" / shipped.name)
    spoil(version, bomb)
    models = tmp_path / "models.yaml"
    models.write_text("models: [{name: ames, default: true, sources: [models/ames]}]\n")
    service = Service("service_b", tmp_path / "output", {"PREDICTOR_MODELS": str(models)})
    service.start(path="/livez")
    try:
        health = requests.get(f"{service.url}/health", timeout=WAIT_SECONDS)
        answer = requests.post(
            f"{service.url}/predict", json={"input": HOUSE}, timeout=WAIT_SECONDS
        )
        livez = requests.get(f"{service.url}/livez", timeout=WAIT_SECONDS)
    finally:
        assert service.stop() == 0

    assert (health.status_code, answer.status_code, livez.status_code) == (503, 503, 200)
    assert int(answer.headers["Retry-After"]) > 0
    assert str(tmp_path) not in health.text + answer.text
    errors = [line for line in service.read_output().splitlines() if "level=ERROR" in line]
    assert errors
    assert reason in errors[0]
    assert not marker.exists()
