from importlib.util import find_spec
from pathlib import Path

import pytest

from training.__main__ import main
from training.tracking import flatten


def test_nested_measures_become_dotted_names() -> None:
    nested = {"r2": 0.9, "required_only": {"r2": 0.8, "deep": {"rows": 5}}, "thirds": [1, 2]}
    assert flatten(nested) == {"r2": 0.9, "required_only.r2": 0.8, "required_only.deep.rows": 5}


@pytest.mark.skipif(find_spec("mlflow") is not None, reason="MLflow is installed here")
def test_missing_mlflow_is_told_before_anything_runs(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    work = ["--work", str(tmp_path / "work"), "--models", str(tmp_path / "models")]
    assert main(["ames", "--mlflow", "http://127.0.0.1:9", *work]) == 1
    assert "requirements-mlflow.txt" in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []
