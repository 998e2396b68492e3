"""Strict JSON parsing that finds duplicate keys by counting all keys, and the colons in the text.

Gain: 5% more houses a second in public batches of 1,000, in loads long enough to count them; none
that shows elsewhere.

The plain twin is `json_body.parse_strictly`.
"""

from itertools import chain
from typing import Any

import jiter

from gateway.web.json_body import parse_strictly

# Counting takes some microseconds whatever the size; from here on it is quicker all the same.
_LEAST_BYTES = 1000


def parse_counting_keys(body: bytes, allow_nan: bool) -> Any:
    """Parse JSON as `parse_strictly` does: with the same values and the same errors."""
    if len(body) < _LEAST_BYTES:
        return parse_strictly(body, allow_nan)
    try:
        value = jiter.from_json(body, allow_inf_nan=allow_nan)
        # In the text each key has a colon of its own; a key that was there twice counts once.
        if _count_keys(value, body.count(b"{")) == body.count(b":"):
            return value
        del value  # a large body isn't held twice
    except ValueError:
        pass  # the strict parser says what is wrong first
    # There is a colon in a string, or a duplicate key.
    return parse_strictly(body, allow_nan)


def _count_keys(value: Any, objects_left: int) -> int:
    """Count the keys of all objects in a value, which has at most `objects_left` objects.

    It goes from level to level, and no deeper than the last object: below are only plain values.
    """
    keys = 0
    level = [value]
    while level:
        objects = [each for each in level if isinstance(each, dict)]
        keys += sum(map(len, objects))
        objects_left -= len(objects)
        if not objects_left:
            break
        arrays = [each for each in level if isinstance(each, list)]
        level = [*chain.from_iterable(each.values() for each in objects), *chain(*arrays)]
    return keys
