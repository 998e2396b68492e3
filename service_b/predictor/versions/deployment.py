"""One hosted model: which version serves, which was refused, and how one replaces another."""

import logging
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Self, cast
from weakref import WeakValueDictionary

from predictor.errors import ModelRefused, PredictorError, SourceUnavailable
from predictor.inference.served_model import ServedModel
from predictor.telemetry.redaction import hide_secrets
from predictor.version import Source, Version
from predictor.versions.alias_source import AliasSource
from predictor.versions.loading import Load
from predictor.versions.registry import ModelRegistry

_logger = logging.getLogger(__name__)

# What leads to a file, up to its name.
_FOLDERS = re.compile(r"\S*[/\\]")


@dataclass(frozen=True)
class _Serving:
    source: Source
    version: Version


@dataclass(frozen=True)
class _Failure:
    event: str
    location: str
    reason: str
    public_reason: str
    """Without paths and hosts, which no caller may see."""
    may_pass: bool = False
    """It comes from a server that can't be used now: that may end without a change to anything."""

    @classmethod
    def of(cls, source: Source, error: Exception) -> Self:
        reason = hide_secrets(str(error) if isinstance(error, PredictorError) else repr(error))
        if isinstance(error, ModelRefused):
            return cls("version is passed over", source.location, reason, _FOLDERS.sub("", reason))
        public = "a source could not be used; the log says why"
        may_pass = not source.location.startswith("file:")
        return cls("source failed", source.location, reason, public, may_pass)


class Deployment:
    """Looks at a model's sources in turn and puts a new version into the registry.

    The first source that works is used. A version that is refused is passed over for the next
    lower one of its source, down to the one that serves. Once a version serves, the sources after
    its own don't count: when a source fails for a while, its version serves on and no older one
    replaces it.
    The aliases beside the champion are followed in the same way, each as a deployment of its own,
    in the source whose version serves. A version is in memory once, whatever names it.
    `check` is for one thread at a time; everything else may be read from any.
    """

    def __init__(
        self,
        name: str,
        sources: Sequence[Source],
        load: Load,
        registry: ModelRegistry,
        champion: "Deployment | None" = None,
    ) -> None:
        """Take what to look at; an alias has a `champion`, with which it shares what is loaded."""
        self.name = name
        self._sources = sources
        self._load = load
        self._registry = registry
        self._serving: _Serving | None = None
        # By the location of the source and the fingerprint, for as long as anything serves them.
        self._models: WeakValueDictionary[tuple[str, str], ServedModel] = (
            champion._models if champion else WeakValueDictionary()
        )
        self.aliases: Mapping[str, Deployment] = {}
        # Why versions were refused, by their fingerprints.
        self._refusals: dict[tuple[Source, str], str] = {}
        self._logged: list[_Failure] | None = None
        self.source: str | None = None
        self.candidate: str | None = None
        self.last_error: str | None = None
        self.public_error: str | None = None
        self.may_come = True  # a version that can be loaded, without a change to anything
        self.last_check: datetime | None = None
        self.swaps = 0
        self.refused = 0

    def check(self) -> None:
        """Look for a version, load it if it is new, and let it serve if it passes every check."""
        failures: list[_Failure] = []
        candidate = None
        for source in self._sources:
            try:
                wanted = source.find()
                candidate = wanted.number
                if self._adopt_first(source, wanted, failures) is wanted:
                    candidate = None
            except SourceUnavailable as error:
                failures.append(_Failure.of(source, error))
            except Exception as error:
                # Whatever it is: the version that serves must go on, and so must the watcher.
                _logger.exception("check failed", extra={"fields": {"model": self.name}})
                failures.append(_Failure.of(source, error))
            if self._serving is not None and self._serving.source is source:
                break
        self.candidate = candidate
        self.last_error = "; ".join(each.reason for each in failures) or None
        self.public_error = "; ".join(each.public_reason for each in failures) or None
        self.may_come = any(each.may_pass for each in failures)
        self.last_check = datetime.now(UTC)
        self._log(failures)
        if self._serving is not None:
            self._follow_aliases(self._serving.source)

    def _follow_aliases(self, source: Source) -> None:
        try:
            aliases = source.list_aliases()
        except SourceUnavailable:
            return  # why, is logged already; what the aliases named serves on
        for gone in self.aliases.keys() - set(aliases):
            self._registry.remove_alias(self.aliases[gone].name)
            fields = {"model": self.aliases[gone].name}
            _logger.info("alias is gone", extra={"fields": fields})
        self.aliases = {each: self.aliases.get(each) or self._host(each) for each in aliases}
        for alias in self.aliases.values():
            alias.check()

    def _host(self, alias: str) -> "Deployment":
        name = f"{self.name}@{alias}"
        self._registry.add_alias(name)
        # Once a version serves, one always does.
        source = AliasSource(alias, lambda: cast(_Serving, self._serving).source)
        return Deployment(name, [source], self._load, self._registry, self)

    def _adopt_first(
        self, source: Source, wanted: Version, failures: list[_Failure]
    ) -> Version | None:
        """Let a version serve, or the next lower one that isn't refused; return which does."""
        version = wanted
        while True:
            try:
                self._adopt(source, version)
            except ModelRefused as error:
                failures.append(_Failure.of(source, error))
            else:
                return version
            lower = version.find_lower()
            if lower is None or self._serves_newer(source, lower):
                return None
            version = lower

    def _serves_newer(self, source: Source, version: Version) -> bool:
        serving = self._serving
        return (
            serving is not None
            and serving.source is source
            and int(serving.version.number) > int(version.number)
        )

    def _adopt(self, source: Source, version: Version) -> None:
        serving, key = self._serving, (source, version.fingerprint)
        if serving and (serving.source, serving.version.fingerprint) == key:
            return
        if key in self._refusals:
            raise ModelRefused(self._refusals[key])
        self.candidate = version.number
        model = self._models.get((source.location, version.fingerprint))
        try:
            if model is None:
                with version.open() as folder:
                    model = self._load(folder)
        except ModelRefused as error:
            self._refusals[key] = str(error)
            self.refused += 1
            raise
        self._models[source.location, version.fingerprint] = model
        self._registry.put(model, self.name)
        self.swaps += 1
        self._serving = _Serving(source, version)
        self.source = source.location
        fields = {"model": self.name, "version": model.version, "source": source.location}
        _logger.info("model is loaded", extra={"fields": fields})

    def _log(self, failures: list[_Failure]) -> None:
        """Log each failure once, however often it is found again."""
        if failures == self._logged:
            return
        for failure in failures:
            fields = {"model": self.name, "source": failure.location, "reason": failure.reason}
            _logger.warning(failure.event, extra={"fields": fields})
        if self._serving is None:
            fields = {"model": self.name, "reason": self.last_error or "no source"}
            _logger.error("model is not available", extra={"fields": fields})
        self._logged = failures
