"""How good predictions are, on rows that were never used in training."""

from collections.abc import Mapping, Sequence

import numpy as np
from sklearn.compose import ColumnTransformer
from sklearn.ensemble import RandomForestRegressor
from sklearn.impute import SimpleImputer
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import OneHotEncoder

from predictor.card import Feature, Interval
from training.estimator import Inputs, Prices

MEASURES = {
    "r2": "R²",
    "rmse_usd": "RMSE, USD",
    "mae_usd": "MAE, USD",
    "rmsle": "RMSLE",
    "mape_percent": "MAPE, %",
    "wmape_percent": "wMAPE, %",
    "median_ape_percent": "median APE, %",
    "share_within_10_percent": "share within 10%",
    "interval_coverage": "interval coverage",
    "interval_relative_width": "interval width / price",
}


def measure(actual: Prices, predicted: Prices, interval: Interval | None) -> dict[str, float]:
    """Compare predictions with sale prices; names carry the units."""
    error = np.abs(predicted - actual)
    log_error = np.abs(np.log(predicted / actual))
    metrics = {
        "r2": 1 - np.sum(error**2) / np.sum((actual - actual.mean()) ** 2),
        "rmse_usd": np.sqrt(np.mean(error**2)),
        "mae_usd": np.mean(error),
        "rmsle": np.sqrt(np.mean(log_error**2)),
        "mape_percent": 100 * np.mean(error / actual),
        "wmape_percent": 100 * error.sum() / actual.sum(),
        "median_ape_percent": 100 * np.median(error / actual),
        "share_within_10_percent": np.mean(error <= 0.1 * actual),
    }
    if interval is not None:
        width = interval.log_half_width
        metrics["interval_coverage"] = np.mean(log_error <= width)
        metrics["interval_relative_width"] = np.exp(width) - np.exp(-width)
    return {name: round(float(value), 4) for name, value in metrics.items()}


def format_table(columns: Mapping[str, Mapping[str, float]]) -> str:
    """Lay measures side by side, one column per set of predictions."""
    widths = [max(len(title), 10) for title in columns]
    lines = [" " * 24 + "".join(f"  {t:>{w}}" for t, w in zip(columns, widths, strict=True))]
    for name, label in MEASURES.items():
        cells = (
            f"  {metrics[name]:>{width},.4g}" if name in metrics else "  " + " " * width
            for metrics, width in zip(columns.values(), widths, strict=True)
        )
        lines.append(f"{label:<24}" + "".join(cells))
    return "\n".join(lines)


def fit_forest(features: Sequence[Feature], inputs: Inputs, prices: Prices) -> Pipeline:
    """Train what the model has to beat: a plain forest of 100 trees on one-hot columns."""
    numbers = [i for i, feature in enumerate(features) if feature.categories is None]
    categories = [i for i, feature in enumerate(features) if feature.categories is not None]
    columns = ColumnTransformer(
        [
            ("numbers", SimpleImputer(strategy="median"), numbers),
            ("categories", OneHotEncoder(handle_unknown="ignore"), categories),
        ]
    )
    forest = RandomForestRegressor(n_estimators=100, random_state=42, n_jobs=-1)
    return make_pipeline(columns, forest).fit(inputs, prices)
