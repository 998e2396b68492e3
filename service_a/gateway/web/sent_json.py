"""Parts of a JSON body as they were sent.

What is parsed and written anew has other numbers: `0.1234567890123456789` loses digits, `-0` its
sign, `1.10` its zero.
"""

import re
from json import JSONDecoder
from typing import Any

_BETWEEN = re.compile("[ ,]*")
# It only finds where values end, so it makes no numbers of digits.
_FINDER = JSONDecoder(parse_int=str, parse_float=str)


def cut_whole(body: bytes) -> bytes:
    """Return the text of a valid body, in one line.

    A tab or a line break is never within a string: JSON has them only between its parts.
    """
    text = body.strip()
    if b"\n" in text or b"\t" in text or b"\r" in text:  # looking is quicker than copying
        text = text.translate(None, b"\t\n\r")
    return text


def cut_member(body: bytes, content: dict[str, Any], name: str) -> bytes:
    """Return the text of one member of a body, in one line; `content` is what was parsed from it.

    The text of the other members must have no comma, colon or brace between or in them: their
    values are names, booleans and nulls.
    """
    names = list(content)
    before = names.index(name)
    after = len(names) - before - 1
    text = body.split(b":", before + 1)[-1]
    return cut_whole(text.rsplit(b",", after)[0] if after else text.rsplit(b"}", 1)[0])


def cut_objects(array: bytes) -> list[bytes]:
    """Return the text of each object of an array, in which no object has a brace within."""
    return [piece[piece.index(b"{") :] + b"}" for piece in array.split(b"}")[:-1]]


def cut_items(array: bytes, count: int) -> list[bytes]:
    """Return the text of each item, of which an array in one line has `count`."""
    text = array.decode()
    items = []
    end = 1  # behind the bracket
    for _ in range(count):
        start = _BETWEEN.match(text, end).end()  # type: ignore[union-attr]
        _, end = _FINDER.raw_decode(text, start)
        items.append(text[start:end].encode())
    return items
