"""Service B's own model code, for servers that are to have it inside."""

import os
from typing import Any, cast

from predictor.inference.registered_model import load_registered
from predictor.version import Folder
from predictor.versions.repository import ModelRepository


class TunedModel:
    """Checks houses and prices them as Service B does, without Service B's web side."""

    def __init__(self) -> None:
        with ModelRepository(os.environ["MODEL_REPOSITORY"]).find().open() as folder:
            self._model = load_registered("ames", cast(Folder, folder))

    def predict(self, houses: list[dict[str, Any]]) -> list[float]:
        check = self._model.input_type.model_validate
        return [each.price for each in self._model.predict([check(house) for house in houses])]
