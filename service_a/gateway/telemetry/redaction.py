"""Secrets in URLs, which don't belong in a log: not everybody who reads a log may have them."""

import re

# The password may have any character, if it is written as some databases take it.
# A blank or a quotation mark may be in it too, but no more than a port is before it. It is
# bounded, as a caller's text may begin a thousand URLs.
_USER = re.compile(
    r"""(?<=://)(?:[^:/?#\s"]*:[^\s"]{0,1000}@"""
    r"""|[^:/?#\s"[]*:(?!\d*[/?#\s"'])(?:(?!://).){0,1000}@|[^/?#\s"]*@)"""
)
_QUERY = re.compile(r"(://[^?#\s\"']{0,1000}[?#])[^\s\"']+")


def hide_secrets(text: str) -> str:
    """Take the user, the password, the query and the fragment out of each URL in a text."""
    return _QUERY.sub(r"\1***", _USER.sub("***@", text)) if "://" in text else text
