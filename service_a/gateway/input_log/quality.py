"""How good the predictions were: figures from the inputs whose actual price was reported."""

import math
from collections import Counter
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, NamedTuple

from sqlalchemy import ColumnElement, Row, Select, case, func, select

from gateway.input_log.database import LogDatabase
from gateway.input_log.tables import HAS_ACTUAL, HAS_PRICE, inputs

# 95% of a normal distribution lie within so many deviations.
_DEVIATIONS = 1.959964


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
        model = func.coalesce(inputs.c.model, default_model) if default_model else inputs.c.model
        with self._database.transaction() as connection:
            # The counts are the later ones, or more might have an actual price than there are.
            measured = {
                (row.model, row.model_version): row
                for row in connection.execute(_measure(wanted, model))
            }
            counts: Counter[tuple[str | None, str | None]] = Counter()
            for name, version, count in connection.execute(_count(wanted, model)):
                counts[name or default_model, version] += count
        return [
            _describe(*key, counts[key], measured.get(key)) for key in sorted(counts, key=_rank)
        ]


def _count(wanted: QualityFilter, model: ColumnElement[str | None]) -> Select[Any]:
    """Count the inputs that a price was predicted for. Reads an index only, in its order."""
    group = inputs.c.model, inputs.c.model_version
    query = _restrict(select(*group, func.count()), wanted, model)
    return query.where(HAS_PRICE).group_by(*group)


def _measure(wanted: QualityFilter, model: ColumnElement[str | None]) -> Select[Any]:
    """Compute the figures by model and version. Reads only an index."""
    actual = inputs.c.actual_price
    error = (inputs.c.price - actual) / actual
    covered = case(
        (inputs.c.interval_lower.is_(None), None),
        (actual.between(inputs.c.interval_lower, inputs.c.interval_upper), 1),
        else_=0,
    )
    columns = [
        model.label("model"),
        inputs.c.model_version,
        error.label("error"),
        func.abs(error).label("ape"),
        covered.label("covered"),
    ]
    each = _restrict(select(*columns), wanted, model).where(HAS_ACTUAL).subquery("labelled")
    group = each.c.model, each.c.model_version
    # Neither database has a median that the other one has as well.
    place = func.row_number().over(partition_by=group, order_by=each.c.ape)
    count = func.count().over(partition_by=group)
    ranked = select(each, place.label("place"), count.label("count")).subquery("ranked")
    group = ranked.c.model, ranked.c.model_version
    in_the_middle = (2 * ranked.c.place).between(ranked.c["count"], ranked.c["count"] + 2)
    return select(
        *group,
        func.count().label("with_actual"),
        func.avg(ranked.c.ape).label("mape"),
        func.avg(case((in_the_middle, ranked.c.ape))).label("median_ape"),
        func.avg(ranked.c.error).label("bias"),
        func.count(case((ranked.c.ape <= 0.1, 1))).label("within_10_percent"),
        func.count(ranked.c.covered).label("with_interval"),
        func.count(case((ranked.c.covered == 1, 1))).label("covered"),
    ).group_by(*group)


def _restrict(
    query: Select[Any], wanted: QualityFilter, model: ColumnElement[str | None]
) -> Select[Any]:
    if wanted.model is not None:
        query = query.where(model == wanted.model)
    if wanted.model_version is not None:
        query = query.where(inputs.c.model_version == wanted.model_version)
    if wanted.received_from is not None:
        query = query.where(inputs.c.received_at >= wanted.received_from.astimezone(UTC))
    if wanted.received_before is not None:
        query = query.where(inputs.c.received_at < wanted.received_before.astimezone(UTC))
    return query


def _describe(
    model: str | None, version: str | None, predicted: int, row: Row[Any] | None
) -> VersionQuality:
    if row is None:
        return VersionQuality(model, version, predicted)
    coverage = estimate_coverage(row.covered, row.with_interval) if row.with_interval else None
    within = row.within_10_percent / row.with_actual
    figures = row.with_actual, row.mape, row.median_ape, row.bias, within, coverage
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
