from importlib.util import find_spec
from pathlib import Path
from types import SimpleNamespace

import pytest

from predictor.card import read_card
from predictor.settings import SERVICE_FOLDER
from training.__main__ import main
from training.tracking import flatten


def test_nested_measures_become_dotted_names() -> None:
    nested = {"r2": 0.9, "required_only": {"r2": 0.8, "deep": {"rows": 5}}, "thirds": [1, 2]}
    assert flatten(nested) == {"r2": 0.9, "required_only.r2": 0.8, "required_only.deep.rows": 5}


@pytest.mark.skipif(find_spec("mlflow") is None, reason="MLflow is not installed")
@pytest.mark.filterwarnings("default")
def test_logged_model_takes_categories_in_any_spelling() -> None:
    import pandas as pd

    from training.mlflow_model import VersionModel

    version = SERVICE_FOLDER / "models" / "ames" / "1"
    card = read_card(version)
    model = VersionModel()
    model.load_context(SimpleNamespace(artifacts={"version": str(version)}))
    rows = [
        {each.column: golden.input.get(each.name) for each in card.inputs} for golden in card.golden
    ]
    spelled = [
        {
            name: f" {value.upper()}" if isinstance(value, str) else value
            for name, value in row.items()
        }
        for row in rows
    ]
    exact, found = (model.predict(None, pd.DataFrame(each)) for each in (rows, spelled))
    assert found.tolist() == exact.tolist()
    assert len(set(exact.tolist())) > 1


@pytest.mark.skipif(find_spec("mlflow") is not None, reason="MLflow is installed here")
def test_missing_mlflow_is_told_before_anything_runs(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    work = ["--work", str(tmp_path / "work"), "--models", str(tmp_path / "models")]
    assert main(["ames", "--mlflow", "http://127.0.0.1:9", *work]) == 1
    assert "requirements-mlflow.txt" in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []
