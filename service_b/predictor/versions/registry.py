"""The model registry: what is loaded and answers."""

import threading
from collections.abc import Mapping, Sequence
from types import MappingProxyType

from predictor.errors import ModelNotFound, ModelUnavailable
from predictor.inference.served_model import ServedModel
from predictor.version import CHAMPION


class ModelRegistry:
    """Holds one version of each model, or none: the service runs without and says so.

    It also holds the versions of aliases beside the champion, each by a name such as
    `ames@challenger`. A request gets its model once and keeps it, so a swap changes no answer half
    way.
    """

    def __init__(self, names: Sequence[str], default_name: str) -> None:
        self.names = tuple(names)
        self.default_name = default_name
        self._aliases: tuple[str, ...] = ()
        self._loaded: Mapping[str, ServedModel] = MappingProxyType({})
        self._writing = threading.Lock()

    @property
    def loaded(self) -> Mapping[str, ServedModel]:
        """All loaded models by name: a snapshot that never changes."""
        return self._loaded

    @property
    def all_names(self) -> tuple[str, ...]:
        """The names of the models, and those of aliases."""
        return (*self.names, *self._aliases)

    def put(self, model: ServedModel, name: str | None = None) -> None:
        """Let this version answer to its own or another name, in place of the one before."""
        with self._writing:
            self._loaded = MappingProxyType({**self._loaded, name or model.name: model})

    def add_alias(self, name: str) -> None:
        """Host one more name; a version is still to be put."""
        with self._writing:
            self._aliases = (*self._aliases, name)

    def remove_alias(self, name: str) -> None:
        """Let nothing answer by this name any more."""
        with self._writing:
            self._aliases = tuple(each for each in self._aliases if each != name)
            rest = {each: model for each, model in self._loaded.items() if each != name}
            self._loaded = MappingProxyType(rest)

    def find_name(self, name: str) -> str | None:
        """Give the name by which a model is held, `ames` for `ames@champion`; None if none is."""
        names = (name, name.removesuffix(f"@{CHAMPION}"))
        return next((each for each in names if each in self.all_names), None)

    def get(self, name: str) -> ServedModel:
        """Return the version that answers.

        Raises:
            ModelNotFound: the service hosts no such model.
            ModelUnavailable: none of its versions is loaded.
        """
        model = self._loaded.get(name)
        if model is not None:
            return model
        held = self.find_name(name)
        if held is None:
            raise ModelNotFound(name, self.all_names)
        if held == name:
            raise ModelUnavailable(f"{name} is not loaded")
        return self.get(held)

    @property
    def default(self) -> ServedModel:
        """The model that answers where none is named.

        Raises:
            ModelUnavailable: none of its versions is loaded.
        """
        return self.get(self.default_name)
