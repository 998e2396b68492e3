"""An alias beside the champion, as a source of its own."""

from collections.abc import Callable

from predictor.version import Source, Version


class AliasSource:
    """What an alias names, in the source that serves the champion at the time."""

    def __init__(self, alias: str, get_source: Callable[[], Source]) -> None:
        self._alias = alias
        self._get_source = get_source

    @property
    def location(self) -> str:
        return self._get_source().location

    def find(self, alias: str | None = None) -> Version:
        """Find the version that the alias names."""
        return self._get_source().find(alias or self._alias)

    def list_aliases(self) -> list[str]:
        """List none: an alias has no aliases."""
        return []
