"""What MLflow runs when it serves a logged version itself."""

from pathlib import Path
from typing import Any

import joblib
import mlflow
import numpy as np
import numpy.typing as npt
import pandas as pd

from predictor.card import read_card
from predictor.spelling import Spellings


class VersionModel(mlflow.pyfunc.PythonModel):  # type: ignore[misc]
    """The estimator of the version folder among the artifacts."""

    def load_context(self, context: Any) -> None:
        folder = Path(context.artifacts["version"])
        card = read_card(folder)
        self._features = card.inputs
        self._spellings = {
            each.column: Spellings(each.categories) for each in card.inputs if each.categories
        }
        self._estimator = joblib.load(folder / card.artifact.file)

    def predict(
        self,
        context: Any,  # noqa: ARG002
        model_input: pd.DataFrame,
        params: dict[str, Any] | None = None,  # noqa: ARG002
    ) -> npt.NDArray[np.float64]:
        """Predict as the predictor does: a hole is none where the data has a category for that.

        A column that is left out is unknown. A category is taken in any spelling.
        """
        nones = {each.column: each.none for each in self._features if each.none is not None}
        frame = model_input.astype(object)
        for column, spellings in self._spellings.items():
            if column in frame:
                frame[column] = [spellings.find(each) or each for each in frame[column]]
        for column, none in nones.items():
            if column in frame:
                frame[column] = frame[column].where(frame[column].notna(), none)
        rows = frame.reindex(columns=[each.column for each in self._features]).to_numpy(object)
        rows[pd.isna(rows)] = np.nan
        prices: npt.NDArray[np.float64] = self._estimator.predict(rows)
        return prices


mlflow.models.set_model(VersionModel())
