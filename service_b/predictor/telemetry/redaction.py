"""Secrets in URLs, which don't belong in a log: not everybody who reads a log may have them."""

import re

# A secret may have any character, though some should be escaped. So a URL goes on over blanks and
# quotation marks, up to a mark that closes a value, or to `: ` before what is said of the URL.
_END = r"""(?<!\\)"(?=[\s,:)\]}]|$)|'(?=[,)\]}]|$)|:\s"""
# No character is looked at for more than one URL, as a caller's text may begin thousands.
_NEXT = rf"(?!://|{_END})"
_USER = re.compile(
    rf"""(?<=://)(?:[^:/?#\s"]*:[^\s"]{{0,1000}}@"""
    # An address in brackets is no user, and a number before a path no password.
    rf"""|(?!\[[\da-fA-F:.]*\])(?:{_NEXT}[^:/?#])*:(?!\d*(?:[/?#\s"']|$))(?:{_NEXT}[\s\S])*@"""
    r"""|[^/?#\s"]*@)"""
)
_REST = rf"(?:(?!{_END})[\s\S])*"
_QUERY = re.compile(rf"(://(?:{_NEXT}[^?#])*)([?#]){_REST}")


def hide_secrets(text: str) -> str:
    """Take the user, the password, the query and the fragment out of each URL in a text."""
    if "://" not in text:
        return text
    return _QUERY.sub(r"\1\2***", _USER.sub(_hide_user, text))


def _hide_user(match: re.Match[str]) -> str:
    # The last @ may also be one of a query; then what follows it is secret too.
    return "?@" if set("?#") & set(match[0]) else "***@"
