"""The peers, each used as its own documentation recommends, with and without a search.

All get the same columns: numbers as they are, categories as pandas' `category`, NaN for unknown.
All learn the logarithm of the price, as the lab does. What isn't a parameter stays the default.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import optuna
import pandas as pd
from sklearn.compose import make_column_selector, make_column_transformer
from sklearn.ensemble import HistGradientBoostingRegressor, RandomForestRegressor
from sklearn.impute import SimpleImputer
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, OneHotEncoder

SEED = 0

Parameters = dict[str, Any]
Prices = np.ndarray[Any, np.dtype[np.float64]]


@dataclass(frozen=True)
class Peer:
    """A library: how to build its model, and where a search looks for parameters, if it does.

    Progress goes by `seconds` and `searched_seconds`: about what a training takes with all fields
    of `ames`, with the defaults and with parameters from the search.
    """

    name: str
    build: Callable[[pd.DataFrame, Parameters], Any]
    suggest: Callable[[optuna.trial.BaseTrial], Parameters] | None
    seconds: float
    searched_seconds: float = 0

    def price(
        self, known: pd.DataFrame, prices: Prices, unseen: pd.DataFrame, parameters: Parameters
    ) -> Prices:
        """Train on the known rows, and give the prices of the unseen ones."""
        model = self.build(known, parameters).fit(known, np.log(prices))
        return np.asarray(np.exp(model.predict(unseen)), dtype=np.float64)


def build_catboost(known: pd.DataFrame, parameters: Parameters) -> Any:
    """It takes unknown numbers itself, and categories as text if it is told which they are."""
    from catboost import CatBoostRegressor  # here, so that the others run without it

    model = CatBoostRegressor(
        cat_features=list(known.select_dtypes("category")),
        random_seed=SEED,
        thread_count=1,
        verbose=False,
        allow_writing_files=False,
        **parameters,
    )
    return make_pipeline(FunctionTransformer(_write_categories), model)


def _write_categories(frame: pd.DataFrame) -> pd.DataFrame:
    texts = {
        name: column.astype(object).map(str).astype(object)
        for name, column in frame.select_dtypes("category").items()
    }
    return frame.assign(**texts)


def suggest_catboost(trial: optuna.trial.BaseTrial) -> Parameters:
    return {
        "loss_function": trial.suggest_categorical("loss", ["RMSE", "MAE"]),
        "iterations": trial.suggest_int("iterations", 500, 1500, log=True),
        "learning_rate": trial.suggest_float("learning_rate", 0.02, 0.15, log=True),
        "depth": trial.suggest_int("depth", 4, 8),
        "l2_leaf_reg": trial.suggest_float("l2_leaf_reg", 1, 10, log=True),
        "rsm": trial.suggest_float("rsm", 0.05, 1, log=True),
        "max_ctr_complexity": trial.suggest_int("max_ctr_complexity", 1, 2),
    }


def build_lightgbm(_: pd.DataFrame, parameters: Parameters) -> Any:
    """It takes unknown values and pandas' categories itself."""
    from lightgbm import LGBMRegressor  # here, so that the others run without it

    return LGBMRegressor(random_state=SEED, n_jobs=1, verbosity=-1, **parameters)


def suggest_lightgbm(trial: optuna.trial.BaseTrial) -> Parameters:
    return {
        "objective": trial.suggest_categorical("objective", ["regression", "regression_l1"]),
        "n_estimators": trial.suggest_int("n_estimators", 200, 2000, log=True),
        "learning_rate": trial.suggest_float("learning_rate", 0.02, 0.15, log=True),
        "num_leaves": trial.suggest_int("num_leaves", 8, 64, log=True),
        "min_child_samples": trial.suggest_int("min_child_samples", 5, 60, log=True),
        "colsample_bytree": trial.suggest_float("colsample_bytree", 0.1, 1),
        "reg_lambda": trial.suggest_float("reg_lambda", 0.01, 30, log=True),
        "subsample": trial.suggest_float("subsample", 0.5, 1),
        "subsample_freq": 1,
    }


def build_boosting(_: pd.DataFrame, parameters: Parameters) -> Any:
    """It takes unknown values and pandas' categories itself."""
    return HistGradientBoostingRegressor(random_state=SEED, **parameters)


def suggest_boosting(trial: optuna.trial.BaseTrial) -> Parameters:
    return {
        "loss": trial.suggest_categorical("loss", ["squared_error", "absolute_error"]),
        "max_iter": trial.suggest_int("max_iter", 100, 1000, log=True),
        "learning_rate": trial.suggest_float("learning_rate", 0.02, 0.15, log=True),
        "max_leaf_nodes": trial.suggest_int("max_leaf_nodes", 8, 64, log=True),
        "min_samples_leaf": trial.suggest_int("min_samples_leaf", 5, 60, log=True),
        "max_features": trial.suggest_float("max_features", 0.1, 1),
        "l2_regularization": trial.suggest_float("l2_regularization", 0.01, 30, log=True),
        "early_stopping": False,
    }


def build_forest(_: pd.DataFrame, parameters: Parameters) -> Any:
    """It needs a column per category, and the median where a number is unknown."""
    columns = make_column_transformer(
        (SimpleImputer(strategy="median"), make_column_selector(dtype_include=float)),
        (
            OneHotEncoder(handle_unknown="ignore", sparse_output=False),
            make_column_selector(dtype_include="category"),
        ),
    )
    return make_pipeline(columns, RandomForestRegressor(random_state=SEED, **parameters))


PEERS = (
    Peer("CatBoost", build_catboost, suggest_catboost, seconds=50, searched_seconds=12),
    Peer("LightGBM", build_lightgbm, suggest_lightgbm, seconds=0.5, searched_seconds=2),
    Peer(
        "scikit-learn's boosting", build_boosting, suggest_boosting, seconds=1, searched_seconds=4
    ),
    Peer("plain forest", build_forest, None, seconds=20),
)
