"""The version of `ames` that ships, and what is made of the real data."""

import hashlib
import os
import pickle
import pickletools
from pathlib import Path

import joblib
import numpy as np
import pytest
from pydantic import BaseModel
from sklearn.model_selection import train_test_split
from threadpoolctl import threadpool_limits

from predictor.card import ModelCard, read_card
from predictor.input_schema import build_input_type
from predictor.settings import SERVICE_FOLDER
from training.ames import AMES
from training.dataset import read_dataset
from training.estimator import fit_estimator
from training.evaluation import measure
from training.features import complete_features, read_descriptions, to_request
from training.hidden_fields import keep_required
from training.preparation import Prepared, prepare

SHIPPED = SERVICE_FOLDER / "models" / "ames" / "1"
# The data is not part of the project: a copy named by AMES_DATA, what a training has downloaded,
# or a folder of shared data beside the project.
DATA_FILES = [
    Path(os.environ["AMES_DATA"])
    if "AMES_DATA" in os.environ
    else SERVICE_FOLDER / ".training" / AMES.dataset.file_name,
    SERVICE_FOLDER.parents[1] / "shared" / "data" / AMES.dataset.file_name,
]

DESCRIPTIONS = read_descriptions(AMES.features_file)


@pytest.fixture(scope="module")
def card() -> ModelCard:
    return read_card(SHIPPED)


@pytest.fixture(scope="module")
def raw() -> bytes:
    file = next((file for file in DATA_FILES if file.exists()), None)
    if file is None:
        pytest.skip(f"no {AMES.dataset.file_name} here: name a copy with AMES_DATA")
    return read_dataset(AMES.dataset, file, Path())


@pytest.fixture(scope="module")
def prepared(raw: bytes) -> Prepared:
    return prepare(raw, DESCRIPTIONS, AMES.target.column, AMES.repairs)


@pytest.fixture(scope="module")
def input_type(card: ModelCard) -> type[BaseModel]:
    return build_input_type(card)


def test_shipped_version_is_good_enough(card: ModelCard) -> None:
    assert card.metrics["rows"] == 586
    assert card.metrics["r2"] >= 0.93
    assert card.metrics["mape_percent"] <= 7.3
    assert card.metrics["required_fields_only"]["mape_percent"] <= 11.5
    assert card.metrics["interval_coverage_share"] >= 0.9
    forest = card.metrics["random_forest_baseline"]
    assert card.metrics["r2"] > forest["r2"]
    assert card.metrics["mape_percent"] < forest["mape_percent"]


def test_shipped_version_says_what_it_was_made_of(card: ModelCard) -> None:
    assert (card.training.rows, card.training.data_sha256) == (2930, AMES.dataset.sha256)
    assert [feature.name for feature in card.features] == [each["name"] for each in DESCRIPTIONS]
    assert "-dirty" not in card.training.code_revision


def test_shipped_artifact_is_small_and_the_one_that_the_card_names(card: ModelCard) -> None:
    content = (SHIPPED / card.artifact.file).read_bytes()
    assert hashlib.sha256(content).hexdigest() == card.artifact.sha256
    assert len(content) < 1_000_000


def test_shipped_artifact_needs_no_code_of_ours() -> None:
    # Protocol 2 names every class and function in an instruction of its own.
    content = pickle.dumps(joblib.load(SHIPPED / "model.joblib"), protocol=2)
    packages = {
        str(argument).split(" ")[0].split(".")[0]
        for instruction, argument, _ in pickletools.genops(content)
        if instruction.name == "GLOBAL"
    }
    assert {"sklearn", "numpy"} <= packages
    assert packages <= {"sklearn", "numpy", "functools", "_codecs", "copy_reg", "__builtin__"}


def test_data_is_prepared_as_known(prepared: Prepared) -> None:
    assert prepared.inputs.shape == (2930, 79)
    assert prepared.frame["garage_yr_blt"].max() == 2010
    assert prepared.frame["pool_qc"].value_counts()["NA"] == 2917
    assert prepared.frame["lot_frontage"].isna().sum() == 490
    assert prepared.frame["mas_vnr_type"].isna().sum() == 23
    assert set(prepared.frame["sale_type"]) >= {"WD", "ConLD"}
    assert set(prepared.frame["ms_zoning"]) >= {"C (all)"}
    assert prepared.target.sum() == 529_732_456


def test_shipped_card_has_the_features_and_the_example_of_the_data(
    card: ModelCard, prepared: Prepared
) -> None:
    assert complete_features(DESCRIPTIONS, prepared.frame) == card.features
    row = prepared.frame.iloc[AMES.example_row].to_dict()
    assert to_request(card.features, row) == card.example


def test_every_raw_row_is_a_valid_request(
    raw: bytes, card: ModelCard, input_type: type[BaseModel]
) -> None:
    unrepaired = prepare(raw, DESCRIPTIONS, AMES.target.column, repairs=())
    for row in unrepaired.frame.to_dict("records"):
        input_type.model_validate(to_request(card.features, row))


def test_every_sale_is_priced_near_what_was_paid(prepared: Prepared) -> None:
    with threadpool_limits(limits=1):
        predicted = joblib.load(SHIPPED / "model.joblib").predict(prepared.inputs)
    errors = np.abs(predicted / prepared.target - 1)
    assert np.median(errors) < 0.05
    assert np.mean(errors < 0.5) > 0.99


def test_training_again_gives_the_measures_in_the_card(card: ModelCard, prepared: Prepared) -> None:
    inputs, prices = prepared.inputs, prepared.target
    known, unseen = train_test_split(np.arange(2930), test_size=0.2, random_state=42)
    with threadpool_limits(limits=1):
        estimator = fit_estimator(
            card.inputs, inputs[known], prices[known], card.training.seed, AMES.parameters
        )
        whole = estimator.predict(inputs[unseen])
        scant = estimator.predict(keep_required(card.inputs, inputs[unseen]))
    expected = card.metrics["required_fields_only"]
    for name in ("r2", "mape_percent"):
        assert measure(prices[unseen], whole, None)[name] == pytest.approx(card.metrics[name], 0.02)
        assert measure(prices[unseen], scant, None)[name] == pytest.approx(expected[name], 0.02)
