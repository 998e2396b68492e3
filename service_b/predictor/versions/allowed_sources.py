"""Where sources may be: what their addresses, and those that they lead on to, must begin with."""

import re
from collections.abc import Sequence
from urllib.parse import unquote, urlsplit

LOCAL = "file://"
"""What the address of a folder on this machine begins with; the rest is its path as it is."""

_HOST_ONLY = re.compile(r"https?://[^/]+")


class AllowedSources:
    """What PREDICTOR_ALLOWED_SOURCES says."""

    def __init__(self, prefixes: Sequence[str]) -> None:
        self.prefixes = prefixes
        # `https://example.org` is that host, not `https://example.org.example.com` as well.
        self._complete = tuple(
            f"{each}/" if _HOST_ONLY.fullmatch(each) else each for each in prefixes
        )

    def allow(self, url: str) -> bool:
        """Say whether a source may be there, whoever the user is that the URL names."""
        if url.startswith(LOCAL):
            # Any character may be in a folder's name, so nothing in it is an escape or a query.
            return ".." not in url.split("/") and url.startswith(self._complete)
        parts = urlsplit(url)
        if ".." in unquote(parts.path).split("/"):
            return False
        host = parts.netloc.rpartition("@")[2]
        path = parts.path or "/" if host else parts.path
        plain = parts._replace(netloc=host, path=path).geturl()
        return any(each.startswith(self._complete) for each in (plain, url))

    def allow_redirect(self, url: str, target: str) -> bool:
        """Say whether a server may send a reader on: never from https to http."""
        downgrade = urlsplit(url).scheme == "https" and urlsplit(target).scheme != "https"
        return not downgrade and self.allow(target)


ANY = AllowedSources([""])
