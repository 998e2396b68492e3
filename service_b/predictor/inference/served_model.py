"""What the service needs of a model, whatever the model is made of."""

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

from pydantic import BaseModel

from predictor.errors import InputRejected

# What a caller gets for one input, as `to_json` of pydantic writes it.
Answer = dict[str, Any]


class ServedModel(Protocol):
    """A loaded model. It never changes: another version is another object."""

    @property
    def name(self) -> str: ...

    @property
    def version(self) -> str: ...

    @property
    def metadata(self) -> Mapping[str, Any]:
        """What is known of it, as JSON, for whoever asks for the model's card."""

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

    def predict(self, inputs: Sequence[BaseModel]) -> Sequence[BaseModel | InputRejected]:
        """Give one outcome for each instance of `input_type`, in order."""

    def tell(self, prediction: BaseModel) -> Answer:
        """Give the answer of a prediction, with words for it if the model has any."""

    def answer(self, inputs: Sequence[BaseModel]) -> Sequence[Answer | InputRejected]:
        """Predict and tell."""

    def to_value(self, prediction: BaseModel) -> Any:
        """Give the bare value, as MLflow's protocol wants it: JSON, nothing rounded."""
