"""One hosted model: which version serves, which was refused, and how one replaces another."""

import logging
import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from predictor.errors import ModelRefused, SourceUnavailable
from predictor.version import Source, Version
from predictor.versions.loading import Load
from predictor.versions.registry import ModelRegistry

_logger = logging.getLogger(__name__)

# What leads to a file, up to its name.
_FOLDERS = re.compile(r"\S*[/\\]")


@dataclass(frozen=True)
class _Refusal:
    fingerprint: str
    reason: str


class Deployment:
    """Looks at a model's sources in turn and puts a new version into the registry.

    The first source that works is used. Once a version serves, the sources after its own don't
    count: when a source fails for a while, its version serves on and no older one replaces it.
    `check` is for one thread at a time; everything else may be read from any.
    """

    def __init__(
        self, name: str, sources: Sequence[Source], load: Load, registry: ModelRegistry
    ) -> None:
        self.name = name
        self._sources = sources
        self._load = load
        self._registry = registry
        self._serving: tuple[Source, str] | None = None
        self._refusals: dict[Source, _Refusal] = {}
        self._logged: dict[str, str] | None = None
        self.source: str | None = None
        self.candidate: str | None = None
        self.last_error: str | None = None
        self.public_error: str | None = None
        self.last_check: datetime | None = None
        self.swaps = 0
        self.refused = 0

    def check(self) -> None:
        """Look for a version, load it if it is new, and let it serve if it passes every check."""
        failures: dict[str, str] = {}
        public: list[str] = []
        candidate = None
        for source in self._sources:
            try:
                version = source.find()
                candidate = version.number
                self._adopt(source, version)
                candidate = None
                break
            except (SourceUnavailable, ModelRefused) as error:
                failures[source.location] = str(error)
                public.append(_describe_publicly(error))
            except Exception as error:
                # Whatever it is: the version that serves must go on, and so must the watcher.
                _logger.exception("check failed", extra={"fields": {"model": self.name}})
                failures[source.location] = repr(error)
                public.append(_describe_publicly(error))
            if self._serving is not None and self._serving[0] is source:
                break
        self.candidate = candidate
        self.last_error = "; ".join(failures.values()) or None
        self.public_error = "; ".join(public) or None
        self.last_check = datetime.now(UTC)
        self._log(failures)

    def _adopt(self, source: Source, version: Version) -> None:
        if self._serving == (source, version.fingerprint):
            return
        refusal = self._refusals.get(source)
        if refusal is not None and refusal.fingerprint == version.fingerprint:
            raise ModelRefused(refusal.reason)
        self.candidate = version.number
        try:
            with version.open() as folder:
                model = self._load(folder)
        except ModelRefused as error:
            self._refusals[source] = _Refusal(version.fingerprint, str(error))
            self.refused += 1
            raise
        self._registry.put(model)
        self.swaps += 1
        self._serving = (source, version.fingerprint)
        self.source = source.location
        self._refusals.pop(source, None)
        fields = {"model": self.name, "version": model.version, "source": source.location}
        _logger.info("model is loaded", extra={"fields": fields})

    def _log(self, failures: dict[str, str]) -> None:
        """Log each failure once, however often it is found again."""
        if failures == self._logged:
            return
        for location, reason in failures.items():
            fields = {"model": self.name, "source": location, "reason": reason}
            _logger.warning("source failed", extra={"fields": fields})
        if self._serving is None:
            fields = {"model": self.name, "reason": self.last_error or "no source"}
            _logger.error("model is not available", extra={"fields": fields})
        self._logged = failures


def _describe_publicly(error: Exception) -> str:
    """Say why a version was refused, without paths and hosts, which no caller may see."""
    if isinstance(error, ModelRefused):
        return _FOLDERS.sub("", str(error))
    return "a source could not be used; the log says why"
