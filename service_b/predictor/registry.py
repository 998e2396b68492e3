"""The model registry: what is loaded and answers."""

import logging

from predictor.errors import ModelRefused, ModelUnavailable
from predictor.model import Model
from predictor.repository import ModelRepository

_logger = logging.getLogger(__name__)


class ModelRegistry:
    """Holds the default model, or none: the service runs without one and says so."""

    def __init__(self, repository: ModelRepository, default_name: str) -> None:
        self._repository = repository
        self._model: Model | None = None
        self.default_name = default_name

    def load(self) -> None:
        """Load the latest version; a missing or refused one is logged and not served."""
        fields: dict[str, object] = {"model": self.default_name}
        try:
            model = self._repository.load(self._repository.find_latest(self.default_name))
        except (ModelUnavailable, ModelRefused) as error:
            fields["reason"] = str(error)
            _logger.error("model is not available", extra={"fields": fields})  # noqa: TRY400
            return
        self._model = model
        fields["version"] = model.card.version
        _logger.info("model is loaded", extra={"fields": fields})

    @property
    def default(self) -> Model:
        """The model that answers.

        Raises:
            ModelUnavailable: none is loaded.
        """
        if self._model is None:
            raise ModelUnavailable(f"{self.default_name} is not loaded")
        return self._model
