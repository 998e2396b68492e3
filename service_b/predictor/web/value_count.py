"""A bound on the values in a request's body, checked before the body is parsed.

Parsed, a value takes up to a hundred times the memory that it takes as text, and nothing else runs
while a body is parsed.
"""

from predictor.errors import InvalidInput


def check_value_count(body: bytes, max_values: int, max_rows: int | None = None) -> None:
    """Count what separates values and what begins them; commas in strings count too.

    `max_rows` is for the message: whoever sends far too many rows learns how many are allowed.

    Raises:
        InvalidInput: there are more than `max_values`.
    """
    # A short body, as nearly all are, need not be looked at.
    if len(body) <= max_values:
        return
    if sum(map(body.count, (b",", b"[", b"{"))) > max_values:
        message = f"The body has more than {max_values} values"
        if max_rows is not None:
            message += f"; at most {max_rows} rows are allowed"
        raise InvalidInput([{"type": "too_many_values", "loc": ["body"], "msg": message}])
