"""The model registry: what is loaded and answers."""

import threading
from collections.abc import Mapping, Sequence
from types import MappingProxyType

from predictor.errors import ModelNotFound, ModelUnavailable
from predictor.inference.served_model import ServedModel


class ModelRegistry:
    """Holds one version of each model, or none: the service runs without and says so.

    A request gets its model once and keeps it, so a swap changes no answer half way.
    """

    def __init__(self, names: Sequence[str], default_name: str) -> None:
        self.names = tuple(names)
        self.default_name = default_name
        self._loaded: Mapping[str, ServedModel] = MappingProxyType({})
        self._writing = threading.Lock()

    @property
    def loaded(self) -> Mapping[str, ServedModel]:
        """All loaded models by name: a snapshot that never changes."""
        return self._loaded

    def put(self, model: ServedModel) -> None:
        """Let this version answer from now on, in place of the one before."""
        with self._writing:
            self._loaded = MappingProxyType({**self._loaded, model.name: model})

    def get(self, name: str) -> ServedModel:
        """Return the version that answers.

        Raises:
            ModelNotFound: the service hosts no such model.
            ModelUnavailable: none of its versions is loaded.
        """
        if name not in self.names:
            raise ModelNotFound(name, self.names)
        try:
            return self._loaded[name]
        except KeyError:
            raise ModelUnavailable(f"{name} is not loaded") from None

    @property
    def default(self) -> ServedModel:
        """The model that answers where none is named.

        Raises:
            ModelUnavailable: none of its versions is loaded.
        """
        return self.get(self.default_name)
