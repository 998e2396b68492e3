"""The steps of a training, in order: data, prepare, evaluate, fit, register."""

import dataclasses
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from sklearn.model_selection import train_test_split
from threadpoolctl import threadpool_limits

from predictor.card import Feature, Interval, Training
from training.dataset import read_dataset
from training.encoding import Inputs, Prices
from training.estimator import Parameters, fit_estimator, fit_forest
from training.evaluation import format_table, measure
from training.features import complete_features, read_descriptions, to_request
from training.hidden_fields import keep_required
from training.interval import FOLDS, measure_half_width
from training.preparation import prepare
from training.provenance import describe_libraries, read_code_revision
from training.recipe import Recipe
from training.registration import register

HOLD_OUT_SHARE = 0.2
SPLIT_SEED = 42
COVERAGE = 0.9

Rows = npt.NDArray[np.intp]


# One thread: on so few rows several wait for each other longer than they save, most of all on
# a busy machine; and the bytes of the estimator would tell how many there were.
@threadpool_limits.wrap(limits=1)  # type: ignore[untyped-decorator]
def train(recipe: Recipe, data: Path | None, models: Path, cache: Path, seed: int) -> Path:
    """Run every step and return the folder of the new version.

    Raises:
        TrainingError: a step failed, and no version was registered.
    """
    print("1/5 data")
    raw = read_dataset(recipe.dataset, data, cache)

    print("2/5 prepare")
    descriptions = read_descriptions(recipe.features_file)
    prepared = prepare(raw, descriptions, recipe.target.column, recipe.repairs)
    features = complete_features(descriptions, prepared.frame)
    inputs, prices = prepared.inputs, prepared.target
    columns = [feature for feature in features if feature.kind != "identifier"]
    print(f"    {len(prices)} rows, {len(columns)} inputs")
    for remark in prepared.remarks:
        print(f"    {remark}")

    print("3/5 evaluate on rows held out")
    metrics = evaluate(columns, inputs, prices, seed, recipe.parameters)

    print("4/5 fit on all rows")
    half_width = _calibrate(columns, inputs, prices, seed, recipe.parameters)
    estimator = fit_estimator(columns, inputs, prices, seed, recipe.parameters)

    print("5/5 register")
    contents = {
        "name": recipe.name,
        "title": recipe.title,
        "description": recipe.description,
        "target": recipe.target,
        "features": features,
        "interval": Interval(coverage=COVERAGE, log_half_width=half_width),
        "metrics": metrics,
        "training": Training(
            data_file=recipe.dataset.file_name,
            data_url=recipe.dataset.url,
            data_sha256=recipe.dataset.sha256,
            rows=len(prices),
            seed=seed,
            parameters=dataclasses.asdict(recipe.parameters)
            | {"interval_folds": FOLDS, "split_seed": SPLIT_SEED, "hold_out_share": HOLD_OUT_SHARE},
            code_revision=read_code_revision(),
            trained_at=datetime.now(UTC).replace(microsecond=0),
        ),
        "libraries": describe_libraries(),
        "example": to_request(features, prepared.frame.iloc[recipe.example_row].to_dict()),
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
    half_width = _calibrate(features, known, known_prices, seed, parameters)
    estimator = fit_estimator(features, known, known_prices, seed, parameters)
    scant = keep_required(features, unseen)
    whole = measure(actual, estimator.predict(unseen), half_width)
    required_only = measure(actual, estimator.predict(scant), half_width)
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
) -> float:
    def predict_unseen(known: Rows, unseen: Rows) -> Prices:
        estimator = fit_estimator(features, inputs[known], prices[known], seed, parameters)
        return np.asarray(estimator.predict(inputs[unseen]), dtype=np.float64)

    return measure_half_width(predict_unseen, prices, COVERAGE, seed)
