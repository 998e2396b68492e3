"""Business logic around a model: functions that models.yaml names, run before and after it."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from pydantic import BaseModel

from predictor.errors import InputRejected
from predictor.inference.prediction import Prediction, PricePrediction
from predictor.inference.served_model import Outcome, ServedModel

Before = Callable[[Any], BaseModel]
After = Callable[[Any, Any], BaseModel]


class HookedModel:
    """A model whose inputs go through `before` and whose predictions go through `after`.

    `before(input)` returns the input to predict. `after(input, prediction)` returns the
    prediction to answer. Either may raise `InputRejected` with a message for the caller; the
    other inputs of a batch are not affected.
    """

    def __init__(self, model: ServedModel, before: Before | None, after: After | None) -> None:
        self._model = model
        self._before = before
        self._after = after
        self.name: str = model.name
        self.version: str = model.version
        self.metadata: Mapping[str, Any] = model.metadata
        self.input_type: type[BaseModel] = model.input_type
        self.prediction_type: type[BaseModel] = model.prediction_type
        self.example: Mapping[str, Any] = model.example
        self.columns: Mapping[str, str] = model.columns
        # Nobody can say how long a hook takes.
        self.quick_batch = 0

    def predict(self, inputs: Sequence[BaseModel]) -> list[Outcome]:
        """Predict those inputs that `before` lets through, in one call of the model."""
        accepted = [self._accept(each) for each in inputs]
        passed = [each for each in accepted if isinstance(each, BaseModel)]
        predictions = iter(self._model.predict(passed) if passed else [])
        return [
            each if isinstance(each, InputRejected) else self._finish(each, next(predictions))
            for each in accepted
        ]

    def _accept(self, value: BaseModel) -> BaseModel | InputRejected:
        if self._before is None:
            return value
        try:
            return self._before(value)
        except InputRejected as rejection:
            return rejection

    def _finish(self, value: BaseModel, prediction: Outcome) -> Outcome:
        if self._after is None or isinstance(prediction, InputRejected):
            return prediction
        if isinstance(prediction, PricePrediction):
            prediction = Prediction.of(prediction)
        try:
            changed = self._after(value, prediction)
        except InputRejected as rejection:
            return rejection
        if isinstance(changed, Prediction) and isinstance(prediction, Prediction):
            # They aren't among the fields of a dump, from which a hook may have made it anew.
            changed.warnings = changed.warnings or prediction.warnings
        return changed
