import hashlib
from dataclasses import replace
from pathlib import Path

import joblib
import numpy as np
import pytest

from predictor.card import read_card
from predictor.model import Model
from training.ames import AMES
from training.dataset import Dataset
from training.errors import TrainingError
from training.features import read_descriptions
from training.pipeline import train
from training.recipe import Recipe

ROWS = 60


def write_data(file: Path) -> None:
    """Invent sales with every column of Ames."""
    random = np.random.default_rng(3)
    columns: dict[str, list[str]] = {}
    for each in read_descriptions(AMES.features_file)[1:]:
        if each["column"] == "MSSubClass":
            values = random.choice(["020", "060"], ROWS)
        elif each["kind"] == "category":
            values = random.choice(["NA", "TA", "WD "], ROWS)
        else:
            values = random.integers(each["minimum"], each["maximum"], ROWS).astype(str)
        columns[each["column"]] = values.tolist()
    columns["LotFrontage"][4] = ""
    columns["SalePrice"] = [str(100 * int(area)) for area in columns["GrLivArea"]]
    lines = ["\t".join(columns), *map("\t".join, zip(*columns.values(), strict=True))]
    file.write_text("\n".join(lines) + "\n", encoding="utf-8")


@pytest.fixture
def data(tmp_path: Path) -> Path:
    file = tmp_path / "sales.txt"
    write_data(file)
    return file


@pytest.fixture
def recipe(data: Path) -> Recipe:
    sha256 = hashlib.sha256(data.read_bytes()).hexdigest()
    dataset = Dataset(file_name=data.name, url="http://localhost/sales.txt", sha256=sha256)
    parameters = replace(AMES.parameters, whole_copies=1, partial_copies=1, trees=10)
    return replace(AMES, dataset=dataset, parameters=parameters)


def test_training_registers_versions_that_the_predictor_serves(
    recipe: Recipe, data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    models = tmp_path / "models"
    first = train(recipe, data, models, tmp_path / "cache", seed=5)
    printed = capsys.readouterr().out
    second = train(recipe, data, models, tmp_path / "cache", seed=5)
    other = train(recipe, data, models, tmp_path / "cache", seed=6)

    assert [each.name for each in (first, second, other)] == ["1", "2", "3"]
    assert "60 rows, 79 inputs" in printed
    assert "RandomForest(100)" in printed
    model = Model(read_card(first), joblib.load(first / "model.joblib"))
    house = model.input_type.model_validate(model.card.example)
    assert model.predict([house])[0].price > 0
    # The same seed makes the same version again, bit for bit; another seed another one.
    cards = [read_card(each) for each in (first, second, other)]
    assert cards[0].artifact == cards[1].artifact
    assert cards[0].artifact != cards[2].artifact
    assert (cards[0].metrics, cards[0].interval) == (cards[1].metrics, cards[1].interval)


def test_card_says_how_the_version_was_made(recipe: Recipe, data: Path, tmp_path: Path) -> None:
    card = read_card(train(recipe, data, tmp_path / "models", tmp_path / "cache", seed=5))

    assert (card.training.rows, card.training.seed) == (ROWS, 5)
    assert card.training.data_sha256 == recipe.dataset.sha256
    assert card.training.parameters["trees"] == 10
    assert card.training.parameters["split_seed"] == 42
    assert card.metrics["rows"] == 12
    assert {"r2", "mape_percent", "interval_coverage_share"} <= set(
        card.metrics["required_fields_only"]
    )
    assert set(card.libraries) == {"scikit-learn", "numpy", "scipy", "joblib"}
    features = {feature.name: feature for feature in card.features}
    assert features["ms_sub_class"].categories == (20, 60)
    assert features["sale_type"].categories == ("NA", "TA", "WD")
    assert features["lot_frontage"].nullable
    assert not features["gr_liv_area"].nullable


def test_raw_data_is_not_changed(recipe: Recipe, data: Path, tmp_path: Path) -> None:
    before = data.read_bytes()
    train(recipe, data, tmp_path / "models", tmp_path / "cache", seed=0)
    assert data.read_bytes() == before


def test_nothing_is_registered_when_the_data_is_wrong(
    recipe: Recipe, data: Path, tmp_path: Path
) -> None:
    data.write_bytes(data.read_bytes() + b"\n")
    with pytest.raises(TrainingError, match="sha256"):
        train(recipe, data, tmp_path / "models", tmp_path / "cache", seed=0)
    assert not (tmp_path / "models").exists()
