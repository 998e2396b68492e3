"""What MLflow runs when it serves a logged version itself."""

from pathlib import Path
from typing import Any

import joblib
import mlflow
import numpy as np
import numpy.typing as npt
import pandas as pd


class VersionModel(mlflow.pyfunc.PythonModel):  # type: ignore[misc]
    """The estimator of the version folder among the artifacts."""

    def load_context(self, context: Any) -> None:
        self._estimator = joblib.load(Path(context.artifacts["version"]) / "model.joblib")

    def predict(
        self,
        context: Any,  # noqa: ARG002
        model_input: pd.DataFrame,
        params: dict[str, Any] | None = None,  # noqa: ARG002
    ) -> npt.NDArray[np.float64]:
        prices: npt.NDArray[np.float64] = self._estimator.predict(model_input.to_numpy(object))
        return prices


mlflow.models.set_model(VersionModel())
