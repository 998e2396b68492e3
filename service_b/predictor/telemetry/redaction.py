"""Secrets in URLs, which don't belong in a log: not everybody who reads a log may have them."""

import re

# The password may have any character, if it is written as some databases take it.
_USER = re.compile(r"(?<=://)(?:[^:/?#\s\"]*:[^\s\"]*|[^/?#\s\"]*)@")
_QUERY = re.compile(r"(://[^?\s\"']*\?)[^\s\"']+")


def hide_secrets(text: str) -> str:
    """Take the user, the password and the query out of each URL in a text."""
    return _QUERY.sub(r"\1***", _USER.sub("***@", text)) if "://" in text else text
