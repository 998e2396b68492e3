"""The steps of a training, in order: data, prepare, evaluate, fit, register."""

import dataclasses
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from sklearn.model_selection import train_test_split

from predictor.card import Feature, Interval, Training
from training import ames
from training.dataset import read_dataset
from training.encoding import Inputs, Prices
from training.estimator import Parameters, fit_estimator, fit_forest
from training.evaluation import format_table, measure
from training.features import complete_features, read_descriptions, to_request
from training.hidden_fields import keep_required
from training.interval import FOLDS, calibrate_interval
from training.preparation import prepare
from training.provenance import describe_libraries, read_code_revision
from training.registration import register

HOLD_OUT_SHARE = 0.2
SPLIT_SEED = 42
COVERAGE = 0.9

Rows = npt.NDArray[np.intp]


def train(data: Path | None, models: Path, cache: Path, seed: int, parameters: Parameters) -> Path:
    """Run every step and return the folder of the new version.

    Raises:
        TrainingError: a step failed, and no version was registered.
    """
    print("1/5 data")
    raw = read_dataset(ames.DATASET, data, cache)

    print("2/5 prepare")
    descriptions = read_descriptions(ames.FEATURES_FILE)
    prepared = prepare(raw, descriptions, ames.TARGET.column, ames.REPAIRS)
    features = complete_features(descriptions, prepared.frame)
    inputs, prices = prepared.inputs, prepared.target
    columns = [feature for feature in features if feature.kind != "identifier"]
    print(f"    {len(prices)} rows, {len(columns)} inputs")
    for remark in prepared.remarks:
        print(f"    {remark}")

    print("3/5 evaluate on rows held out")
    metrics = evaluate(columns, inputs, prices, seed, parameters)

    print("4/5 fit on all rows")
    interval = _calibrate(columns, inputs, prices, seed, parameters)
    estimator = fit_estimator(columns, inputs, prices, seed, parameters)

    print("5/5 register")
    contents = {
        "name": ames.NAME,
        "title": ames.TITLE,
        "description": ames.DESCRIPTION,
        "target": ames.TARGET,
        "features": features,
        "interval": interval,
        "metrics": metrics,
        "training": Training(
            data_file=ames.DATASET.file_name,
            data_url=ames.DATASET.url,
            data_sha256=ames.DATASET.sha256,
            rows=len(prices),
            seed=seed,
            parameters=dataclasses.asdict(parameters)
            | {"interval_folds": FOLDS, "split_seed": SPLIT_SEED, "hold_out_share": HOLD_OUT_SHARE},
            code_revision=read_code_revision(),
            trained_at=datetime.now(UTC).replace(microsecond=0),
        ),
        "libraries": describe_libraries(),
        "example": to_request(features, prepared.frame.iloc[ames.EXAMPLE_ROW].to_dict()),
    }
    folder = register(estimator, contents, models)
    print(f"    {folder}")
    return folder


def evaluate(
    features: list[Feature], inputs: Inputs, prices: Prices, seed: int, parameters: Parameters
) -> dict[str, Any]:
    """Train on 80% of the rows, measure on the rest, print the table and return it."""
    train_rows, test_rows = train_test_split(
        np.arange(len(prices)), test_size=HOLD_OUT_SHARE, random_state=SPLIT_SEED
    )
    known, known_prices = inputs[train_rows], prices[train_rows]
    unseen, actual = inputs[test_rows], prices[test_rows]
    interval = _calibrate(features, known, known_prices, seed, parameters)
    estimator = fit_estimator(features, known, known_prices, seed, parameters)
    scant = keep_required(features, unseen)
    whole = measure(actual, estimator.predict(unseen), interval)
    required_only = measure(actual, estimator.predict(scant), interval)
    forest = measure(actual, fit_forest(features, known, known_prices).predict(unseen), None)
    print(
        format_table(
            {"all fields": whole, "required only": required_only, "RandomForest(100)": forest}
        )
    )
    return {
        "rows": len(test_rows),
        **whole,
        "required_fields_only": required_only,
        "random_forest_baseline": forest,
    }


def _calibrate(
    features: list[Feature], inputs: Inputs, prices: Prices, seed: int, parameters: Parameters
) -> Interval:
    def predict_unseen(known: Rows, unseen: Rows) -> Prices:
        estimator = fit_estimator(features, inputs[known], prices[known], seed, parameters)
        return np.asarray(estimator.predict(inputs[unseen]), dtype=np.float64)

    return calibrate_interval(predict_unseen, prices, COVERAGE, seed)
