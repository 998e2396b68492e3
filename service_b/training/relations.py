"""Which of a recipe's relations between fields the rows confirm."""

import math
from collections.abc import Sequence
from typing import Any

from predictor.card import Feature, Relation
from predictor.inference.relations import build_checks
from training.hidden_fields import Inputs

# Of the rows that have all the fields. The data has slips of the pen, too.
LEAST_SHARE = 0.999


def count_rows(
    relations: Sequence[Relation], features: Sequence[Feature], inputs: Inputs
) -> list[Relation]:
    """Give the relations with the rows that have all their fields, and those that confirm them."""
    names = [feature.name for feature in features]
    rows = [_take_known(names, row) for row in inputs]
    counted = []
    for relation, check in zip(relations, build_checks(relations, features), strict=True):
        known = [row for row in rows if all(name in row for name in relation.fields)]
        confirmed = sum(check(row, row) is None for row in known)
        counted.append(relation.model_copy(update={"rows": len(known), "confirmed": confirmed}))
    return counted


def is_confirmed(relation: Relation) -> bool:
    return relation.rows > 0 and relation.confirmed >= LEAST_SHARE * relation.rows


def _take_known(names: Sequence[str], row: Sequence[Any]) -> dict[str, Any]:
    return {
        name: value
        for name, value in zip(names, row, strict=True)
        if not (isinstance(value, float) and math.isnan(value))
    }
