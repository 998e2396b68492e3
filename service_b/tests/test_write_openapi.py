import json
from pathlib import Path

import pytest

from predictor.settings import SERVICE_FOLDER, Settings
from predictor.write_openapi import main


def test_committed_document_is_written_when_nothing_has_changed(tmp_path: Path) -> None:
    file = tmp_path / "openapi.json"
    assert main(["--output", str(file)]) == 0
    committed = (SERVICE_FOLDER / "openapi.json").read_bytes()
    assert json.loads(file.read_bytes()) == json.loads(committed)


def test_nothing_is_written_when_a_model_is_missing(
    settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PREDICTOR_MODELS", str(settings.models))
    with pytest.raises(SystemExit, match=r"tiny: .*no version is there"):
        main(["--output", str(tmp_path / "openapi.json")])
    assert not (tmp_path / "openapi.json").exists()
