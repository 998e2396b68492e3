"""Whether an input contradicts what holds in the training data, by the relations of a card."""

from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any

from pydantic import BaseModel

from predictor.card import AtMost, Feature, NoneIfZero, Relation, Sum
from predictor.inference.prediction import InputWarning

Values = Mapping[str, Any]
# Gives the warning if the values contradict a relation. The names are those of the fields that the
# caller gave: of a category, null means none where it was given, and unknown where it wasn't.
Check = Callable[[Values, Collection[str]], InputWarning | None]


class _Number(float):
    """A number in a message: `{cars:car}` becomes `1 car` or `3 cars`."""

    def __format__(self, noun: str) -> str:
        number = float(self)
        ending = "" if number == 1 else "s"
        return f"{number:.10g} {noun}{ending}" if noun else f"{number:.10g}"


def build_checks(relations: Sequence[Relation], features: Sequence[Feature]) -> list[Check]:
    """Make a function of each relation: for every input, they must take little time."""
    nones = {feature.name: feature.none for feature in features}
    checks: list[Check] = []
    for relation in relations:
        if isinstance(relation, Sum):
            checks.append(_build_sum(relation))
        elif isinstance(relation, AtMost):
            checks.append(_build_at_most(relation))
        else:
            checks.append(_build_none_if_zero(relation, nones[relation.fields[0]]))
    return checks


def find_warnings(checks: Sequence[Check], values: BaseModel) -> tuple[InputWarning, ...]:
    given, names = values.__dict__, values.__pydantic_fields_set__
    return tuple([warning for check in checks if (warning := check(given, names))])


def _build_sum(relation: Sum) -> Check:
    total, *parts = relation.fields
    tolerance = relation.tolerance

    def check(given: Values, _: Collection[str]) -> InputWarning | None:
        rest = whole = given[total]
        if whole is None:
            return None
        for part in parts:
            value = given[part]
            if value is None:
                return None
            rest -= value
        if -tolerance <= rest <= tolerance:
            return None
        return _warn(relation, relation.message, given, sum=whole - rest)

    return check


def _build_at_most(relation: AtMost) -> Check:
    smaller, larger = relation.fields
    offset = relation.offset

    def check(given: Values, _: Collection[str]) -> InputWarning | None:
        low, high = given[smaller], given[larger]
        if low is None or high is None or low <= high + offset:
            return None
        return _warn(relation, relation.message, given)

    return check


def _build_none_if_zero(relation: NoneIfZero, none: object) -> Check:
    category, number = relation.fields
    nones = (None, none)

    def check(given: Values, names: Collection[str]) -> InputWarning | None:
        is_none, count = given[category] in nones, given[number]
        if is_none == (count == 0) or count is None or category not in names:
            return None
        return _warn(relation, relation.messages[not is_none], given)

    return check


def _warn(relation: Relation, message: str, given: Values, **more: float) -> InputWarning:
    values = {name: given[name] for name in relation.fields}
    numbers = {name: _Number(given[name]) for name in relation.numbers}
    more = {name: _Number(each) for name, each in more.items()}
    return InputWarning(relation.fields, message.format_map({**values, **numbers, **more}))
