import shutil
from importlib.util import find_spec
from pathlib import Path
from types import SimpleNamespace

import pytest

from predictor.card import read_card
from predictor.settings import SERVICE_FOLDER
from training.__main__ import main
from training.errors import TrainingError
from training.tracking import flatten, log_version

AMES = SERVICE_FOLDER / "models" / "ames" / "1"
# `.ci/run mlflow` runs these.
with_mlflow = pytest.mark.skipif(find_spec("mlflow") is None, reason="MLflow is not installed")


def test_nested_measures_become_dotted_names() -> None:
    nested = {"r2": 0.9, "required_only": {"r2": 0.8, "deep": {"rows": 5}}, "thirds": [1, 2]}
    assert flatten(nested) == {"r2": 0.9, "required_only.r2": 0.8, "required_only.deep.rows": 5}


@with_mlflow
@pytest.mark.filterwarnings("default")
def test_logged_model_takes_categories_in_any_spelling() -> None:
    import pandas as pd

    from training.mlflow_model import VersionModel

    card = read_card(AMES)
    model = VersionModel()
    model.load_context(SimpleNamespace(artifacts={"version": str(AMES)}))
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
    # What a frame says only for some houses is unknown of the others, as what it leaves out.
    some = pd.DataFrame(rows).drop(columns=["Alley", "LotArea"])
    assert model.predict(None, some).tolist() != exact.tolist()


@with_mlflow
@pytest.mark.filterwarnings("default")
def test_registry_has_all_of_a_version_once_and_the_alias_follows(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    import mlflow

    monkeypatch.chdir(tmp_path)
    uri = f"sqlite:///{tmp_path}/mlflow.db"
    card = read_card(AMES)
    second = shutil.copytree(AMES, tmp_path / "models/ames/2")
    (second / "card.json").write_text(card.model_copy(update={"version": "2"}).model_dump_json())
    (tmp_path / "plots").mkdir()
    (tmp_path / "plots/residuals.png").write_bytes(b"a picture")

    log_version(uri, AMES, tmp_path / "plots")
    publish = ["publish", "ames", "2", "--models", str(tmp_path / "models"), "--mlflow", uri]
    assert main(publish) == 0

    client = mlflow.MlflowClient(uri)
    assert str(client.get_model_version_by_alias("ames", "champion").version) == "2"
    assert capsys.readouterr().out.endswith("ames version 2, alias champion\n")
    log_version(uri, AMES)
    champion = client.get_model_version_by_alias("ames", "champion")
    assert str(champion.version) == "1"
    assert len(client.search_model_versions("name = 'ames'")) == 2
    assert champion.tags == {
        "data_sha256": card.training.data_sha256,
        "code_revision": card.training.code_revision,
        "version": "1",
        "artifact_sha256": card.artifact.sha256,
    }
    run = client.get_run(champion.run_id)
    assert run.data.params["seed"] == str(card.training.seed)
    assert (
        run.data.metrics["required_fields_only.r2"] == (card.metrics["required_fields_only"]["r2"])
    )
    (plot,) = client.list_artifacts(champion.run_id, "evaluation")
    assert plot.path == "evaluation/residuals.png"
    signature = mlflow.models.get_model_info("models:/ames@champion").signature
    columns = {each.name: (each.type.name, each.required) for each in signature.inputs}
    assert list(columns) == [each.column for each in card.inputs]
    assert columns["Neighborhood"] == ("string", True)
    assert columns["LotArea"] == ("double", False)
    assert columns["MSSubClass"] == ("long", False)


@with_mlflow
@pytest.mark.filterwarnings("default")
def test_registry_that_does_not_take_a_version_is_a_clear_error(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")

    with pytest.raises(TrainingError, match=r"ames/1 is registered, but .* didn't take it: "):
        log_version("http://127.0.0.1:9", AMES)


@pytest.mark.skipif(find_spec("mlflow") is not None, reason="MLflow is installed here")
def test_missing_mlflow_is_told_before_anything_runs(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    work = ["--work", str(tmp_path / "work"), "--models", str(tmp_path / "models")]
    assert main(["ames", "--mlflow", "http://127.0.0.1:9", *work]) == 1
    assert "requirements-mlflow.txt" in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []
