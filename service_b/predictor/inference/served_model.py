"""What the service needs of a model, whatever the model is made of."""

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

from pydantic import BaseModel

from predictor.errors import InputRejected
from predictor.inference.prediction import PricePrediction

# A price, or the own output of a Python class or a hook.
Predicted = PricePrediction | BaseModel
Outcome = Predicted | InputRejected


class ServedModel(Protocol):
    """A loaded model. It never changes: another version is another object."""

    @property
    def name(self) -> str: ...

    @property
    def version(self) -> str: ...

    @property
    def metadata(self) -> Mapping[str, Any]:
        """What `GET /models/{name}` shows of it, as JSON."""

    @property
    def input_type(self) -> type[BaseModel]:
        """Checks one input and describes it in the documentation."""

    @property
    def prediction_type(self) -> type[BaseModel]:
        """Describes one prediction; has the fields `model` and `model_version`."""

    @property
    def example(self) -> Mapping[str, Any]:
        """One realistic input."""

    @property
    def columns(self) -> Mapping[str, str]:
        """Name of each column of the training data, in order, to the name of its field."""

    @property
    def quick_batch(self) -> int:
        """So many inputs take so few milliseconds that no thread is needed; 0 if none is quick."""

    def predict(self, inputs: Sequence[BaseModel]) -> Sequence[Outcome]:
        """Give one outcome for each instance of `input_type`, in order."""
