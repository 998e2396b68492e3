"""Service B with a model that must not be loaded."""

import hashlib
import json
import pickle
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

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


# What is done to a version of a model, by the model's name, and why it is then refused.
SPOILED: dict[str, tuple[Callable[[Path, bytes], None], str]] = {
    "flipped": (flip_a_byte, "sha256 is"),
    "replaced": (replace_the_artifact, "sha256 is"),
    "foreign": (need_another_library, "scikit-learn 0.1"),
}


def test_service_b_runs_on_without_models_that_it_must_not_unpickle(tmp_path: Path) -> None:
    marker = tmp_path / "unpickled"
    bomb = pickle.dumps(_Bomb(marker))
    pickle.loads(bomb)  # noqa: S301 - our own, and it works
    marker.unlink()
    shipped = find_version(ROOT / "service_b/models/ames")
    entries: list[dict[str, Any]] = []
    for name, (spoil, _) in SPOILED.items():
        version = shutil.copytree(shipped, tmp_path / "models" / name / shipped.name)
        card = json.loads((version / "card.json").read_text(encoding="utf-8"))
        (version / "card.json").write_text(json.dumps(card | {"name": name}), encoding="utf-8")
        spoil(version, bomb)
        entries.append({"name": name, "default": not entries, "sources": [f"models/{name}"]})
    models = tmp_path / "models.yaml"
    models.write_text(json.dumps({"models": entries}))
    service = Service("service_b", tmp_path / "output", {"PREDICTOR_MODELS": str(models)})
    service.start(path="/livez")
    try:
        health = requests.get(f"{service.url}/health", timeout=WAIT_SECONDS)
        answers = [
            requests.post(f"{service.url}{path}", json={"input": HOUSE}, timeout=WAIT_SECONDS)
            for path in ("/predict", *(f"/models/{name}/predict" for name in SPOILED))
        ]
        livez = requests.get(f"{service.url}/livez", timeout=WAIT_SECONDS)
    finally:
        assert service.stop() == 0

    assert (health.status_code, livez.status_code) == (503, 200)
    for answer in answers:
        assert answer.status_code == 503
        assert int(answer.headers["Retry-After"]) > 0
        assert str(tmp_path) not in health.text + answer.text
    lines = service.read_output().splitlines()
    for name, (_, reason) in SPOILED.items():
        errors = [line for line in lines if "level=ERROR" in line and f"model={name}" in line]
        assert errors
        assert reason in errors[0]
    assert not marker.exists()
