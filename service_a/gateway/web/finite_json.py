"""Numbers that are too large to be read: JSON may have them, and as floats they are infinite."""

from typing import Any

import jiter
from pydantic_core import to_json

from gateway.errors import InvalidInput


def check_finite(value: Any, loc: list[str | int]) -> None:
    """Check a value that was parsed from JSON.

    Raises:
        InvalidInput: a number in it, such as 1e400, was too large to be read; `loc` is where.
    """
    text = to_json(value)
    if b"Infinity" in text:
        try:
            jiter.from_json(text, allow_inf_nan=False)  # the word may stand in a string
        except ValueError:
            message = "Input holds a number beyond the range of a 64-bit float"
            raise InvalidInput([{"type": "finite_number", "loc": loc, "msg": message}]) from None
