"""How good the predictions were: figures from the inputs whose actual price was reported."""

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, NamedTuple

from sqlalchemy import ColumnElement, Row, Select, case, func, or_, select

from gateway.input_log.database import LogDatabase
from gateway.input_log.tables import HAS_ACTUAL, HAS_PRICE, inputs

# 95% of a normal distribution lie within so many deviations.
_DEVIATIONS = 1.959964

Condition = ColumnElement[bool]

_ACTUAL = inputs.c.actual_price
# SQLAlchemy's own division would have PostgreSQL compute with decimal digits, many times slower.
_ERROR = (inputs.c.price - _ACTUAL).op("/", precedence=8)(_ACTUAL)


@dataclass(frozen=True)
class QualityFilter:
    """Which inputs count: each part that is given must fit."""

    model: str | None = None
    model_version: str | None = None
    received_from: datetime | None = None
    received_before: datetime | None = None


class Coverage(NamedTuple):
    """The share of actual prices that lay in their interval.

    With 95% certainty, the share among all inputs like these is between `lower` and `upper`.
    """

    value: float
    lower: float
    upper: float


class VersionQuality(NamedTuple):
    """How good the predictions of a version were. Errors and shares are fractions."""

    model: str | None
    model_version: str | None
    predicted: int
    with_actual: int = 0
    mape: float | None = None
    median_ape: float | None = None
    bias: float | None = None
    within_10_percent: float | None = None
    coverage: Coverage | None = None


class QualityReader:
    """Has the database compute. Blocks; safe to use from many threads."""

    def __init__(self, database: LogDatabase) -> None:
        self._database = database

    def read(self, wanted: QualityFilter, default_model: str | None) -> list[VersionQuality]:
        """Return the quality of each version that predicted, in the order of the names.

        An input for Service B's default model counts as one for the model of this name.

        Raises:
            InputLogUnavailable: the log can't be read.
        """
        fits = _list_conditions(wanted, default_model)
        with self._database.transaction() as connection:
            measured = {}
            for row in connection.execute(_measure(fits, default_model)).all():
                key = row.model, row.model_version
                is_key = _is_of(key[0], default_model), inputs.c.model_version == key[1]
                median = _find_median([*fits, *is_key], row.with_actual)
                measured[key] = row, connection.execute(median).scalar_one()
            # Counted last: else there might be more actual prices than inputs.
            counts: Counter[tuple[str | None, str | None]] = Counter()
            for name, version, count in connection.execute(_count(fits)):
                counts[name or default_model, version] += count
        return [
            _describe(*key, counts[key], measured.get(key)) for key in sorted(counts, key=_rank)
        ]


def _list_conditions(wanted: QualityFilter, default_model: str | None) -> list[Condition]:
    conditions: list[Condition] = []
    if wanted.model is not None:
        conditions.append(_is_of(wanted.model, default_model))
    if wanted.model_version is not None:
        conditions.append(inputs.c.model_version == wanted.model_version)
    if wanted.received_from is not None:
        conditions.append(inputs.c.received_at >= wanted.received_from.astimezone(UTC))
    if wanted.received_before is not None:
        conditions.append(inputs.c.received_at < wanted.received_before.astimezone(UTC))
    return conditions


def _is_of(model: str | None, default_model: str | None) -> Condition:
    named = inputs.c.model == model  # None becomes IS NULL
    return or_(named, inputs.c.model.is_(None)) if model == default_model else named


def _count(fits: Sequence[Condition]) -> Select[Any]:
    """Count the inputs that a price was predicted for. Reads an index only, in its order."""
    group = inputs.c.model, inputs.c.model_version
    return select(*group, func.count()).where(HAS_PRICE, *fits).group_by(*group)


def _measure(fits: Sequence[Condition], default_model: str | None) -> Select[Any]:
    """Compute the figures by model and version. Reads only an index."""
    model = func.coalesce(inputs.c.model, default_model) if default_model else inputs.c.model
    is_covered = _ACTUAL.between(inputs.c.interval_lower, inputs.c.interval_upper)
    columns = [
        model.label("model"),
        inputs.c.model_version,
        _ERROR.label("error"),
        func.abs(_ERROR).label("ape"),
        inputs.c.interval_lower,
        case((is_covered, 1)).label("covered"),
    ]
    each = select(*columns).where(HAS_ACTUAL, *fits).subquery("labelled").c
    return select(
        each.model,
        each.model_version,
        func.count().label("with_actual"),
        func.avg(each.ape).label("mape"),
        func.avg(each.error).label("bias"),
        func.count(case((each.ape <= 0.1, 1))).label("within_10_percent"),
        func.count(each.interval_lower).label("with_interval"),
        func.count(each.covered).label("covered"),
    ).group_by(each.model, each.model_version)


def _find_median(fits: Sequence[Condition], count: int) -> Select[Any]:
    """Find the median error without its sign: SQLite has no function for it."""
    ape = func.abs(_ERROR).label("ape")
    ordered = select(ape).where(HAS_ACTUAL, *fits).order_by(ape)
    middle = ordered.offset((count - 1) // 2).limit(2 - count % 2).subquery("middle")
    return select(func.avg(middle.c.ape))


def _describe(
    model: str | None, version: str | None, predicted: int, found: tuple[Row[Any], float] | None
) -> VersionQuality:
    if found is None:
        return VersionQuality(model, version, predicted)
    row, median_ape = found
    coverage = estimate_coverage(row.covered, row.with_interval) if row.with_interval else None
    within = row.within_10_percent / row.with_actual
    figures = row.with_actual, row.mape, median_ape, row.bias, within, coverage
    return VersionQuality(model, version, predicted, *figures)


def estimate_coverage(covered: int, count: int) -> Coverage:
    """Estimate a share from a sample, with Wilson's score interval, which suits small ones too."""
    share = covered / count
    scale = 1 + _DEVIATIONS**2 / count
    centre = (share + _DEVIATIONS**2 / (2 * count)) / scale
    spread = _DEVIATIONS * math.sqrt(share * (1 - share) / count + (_DEVIATIONS / (2 * count)) ** 2)
    # At its ends, rounding would leave the share itself outside.
    lower = min(share, max(0.0, centre - spread / scale))
    upper = max(share, min(1.0, centre + spread / scale))
    return Coverage(share, lower, upper)


def _rank(key: tuple[str | None, str | None]) -> tuple[str, int, str]:
    model, version = key[0] or "", key[1] or ""
    return model, len(version), version  # 10 comes after 9
