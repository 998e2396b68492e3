"""Actual prices: what inputs turned out to be worth, reported after they were predicted."""

import json
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import JSON, BigInteger, Float, Row, String, Update, bindparam, cast, func, select

from gateway.errors import InvalidInput
from gateway.input_log.database import LogDatabase
from gateway.input_log.tables import inputs
from gateway.intake.entries import OutcomeKind

MIN_PRICE, MAX_PRICE = 0.01, 1e15
"""With prices between them, whatever is computed from two is a number that a database can hold."""

MAX_NUMBER = 2**63 - 1
"""What a column of numbers takes."""

_MAX_PROBLEMS = 100
# After each commit the log is free for this many times as long as the commit took, up to a bound: a
# commit that took long has waited for another process.
_REST_FACTOR = 2
_LONGEST_REST_SECONDS = 0.5
_PRICES = bindparam("prices", type_=String)


@dataclass(frozen=True)
class Actual:
    """An actual price, for the input of this number, or of this request."""

    price: float
    number: int | None = None
    request_id: str | None = None


class ActualsLog:
    """Keeps actual prices in the log. Blocks; safe to use from many threads."""

    def __init__(self, database: LogDatabase) -> None:
        self._database = database
        self._update = _make_update(is_sqlite=database.is_sqlite)

    def record(self, actuals: Sequence[Actual]) -> list[Actual]:
        """Keep the prices, each in place of an earlier one; return those whose input is unknown.

        Raises:
            InvalidInput: some can't be kept, so none was; each `loc` is a place in `actuals`.
            InputLogUnavailable: none was kept.
        """
        while True:
            prices, unknown = self._look_up(actuals)
            started = time.monotonic()
            if not prices or self._write(prices):
                took_seconds = time.monotonic() - started
                time.sleep(min(_REST_FACTOR * took_seconds, _LONGEST_REST_SECONDS))
                return unknown

    def _look_up(self, actuals: Sequence[Actual]) -> tuple[dict[int, float], list[Actual]]:
        """Return the prices by the numbers of their inputs, and those without an input."""
        ids = [each.request_id for each in actuals if each.request_id is not None]
        numbers = [each.number for each in actuals if each.number is not None]
        requests = (
            select(inputs.c.request_id, func.min(inputs.c.id), func.count())
            .where(inputs.c.request_id.in_(ids))
            .group_by(inputs.c.request_id)
        )
        with self._database.transaction() as connection:
            found = {row[0]: (row[1], row[2]) for row in connection.execute(requests)}
            numbers += [number for number, _ in found.values()]
            query = select(inputs.c.id, inputs.c.outcome, inputs.c.price)
            rows = {
                row.id: row for row in connection.execute(query.where(inputs.c.id.in_(numbers)))
            }
        problems: list[dict[str, Any]] = []
        prices: dict[int, float] = {}
        unknown: list[Actual] = []
        first_places: dict[int | str | None, int] = {}
        for place, actual in enumerate(actuals):
            number, count = actual.number, 1
            if number is None:
                number, count = found.get(actual.request_id, (None, 0))
            first_place = first_places.setdefault(number or actual.request_id, place)
            row = None if number is None else rows.get(number)
            problem = _find_problem(row, count, place, first_place)
            if problem:
                field = "number" if actual.number is not None else "request_id"
                problems.append({**problem, "loc": [place, field]})
            elif number is None or row is None:
                unknown.append(actual)
            else:
                prices[number] = actual.price
        if problems:
            raise InvalidInput(problems[:_MAX_PROBLEMS])
        return prices, unknown

    def _write(self, prices: Mapping[int, float]) -> bool:
        """Write all in one commit. If an input was deleted meanwhile, write none and say so.

        On SQLite, whoever writes an input waits as long as this takes. So it is a single statement,
        and what it writes was looked up before it.
        """
        values = {"prices": json.dumps(prices), "now": datetime.now(UTC)}
        with self._database.transaction() as connection:
            written = connection.execute(self._update, values).rowcount
            if written != len(prices):
                connection.rollback()
        return written == len(prices)


def _find_problem(
    row: Row[int, str, float | None] | None, count: int, place: int, first_place: int
) -> dict[str, str] | None:
    """Say why a price can't be kept: `count` is how many inputs its request has."""
    if count > 1:
        text = f"The request has {count} inputs: give the number of the one that is meant"
        return {"type": "ambiguous_request", "msg": text}
    if place != first_place:
        text = f"It is for the same input as actuals.{first_place}"
        return {"type": "duplicate_input", "msg": text}
    if row is None:
        return None
    if row.outcome != OutcomeKind.PREDICTED:
        text = f"Nothing was predicted for the input: its outcome is '{row.outcome}'"
        return {"type": "not_predicted", "msg": text}
    if row.price is None or abs(row.price) > MAX_PRICE:
        text = "What was predicted for the input is no price to compare with"
        return {"type": "not_predicted", "msg": text}
    return None


def _make_update(*, is_sqlite: bool) -> Update:
    """Make the statement, which takes any number of prices as one object in JSON.

    With a parameter for each, making it would take ten times as long as running it.
    """
    each = (
        func.json_each(_PRICES) if is_sqlite else func.json_each_text(cast(_PRICES, JSON))
    ).table_valued("key", "value", name="new")
    return (
        inputs.update()
        .where(inputs.c.id == cast(each.c.key, BigInteger))
        .values(actual_price=cast(each.c.value, Float), actual_at=bindparam("now"))
    )
