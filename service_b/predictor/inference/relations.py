"""Whether an input contradicts what holds in the training data, by the relations of a card."""

from collections.abc import Callable, Collection, Mapping, Sequence
from string import Formatter
from typing import Any

from pydantic import BaseModel

from predictor.card import AtMost, Feature, NoneIfZero, Relation, Sum
from predictor.inference.prediction import InputWarning

Values = Mapping[str, Any]
# Gives the warning if the values contradict a relation. The names are those of the fields that the
# caller gave: of a category, null means none where it was given, and unknown where it wasn't.
Check = Callable[[Values, Collection[str]], InputWarning | None]


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
    warn = _build_warning(relation, relation.message)

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
        return warn({**given, "sum": whole - rest})

    return check


def _build_at_most(relation: AtMost) -> Check:
    smaller, larger = relation.fields
    offset = relation.offset
    warn = _build_warning(relation, relation.message)

    def check(given: Values, _: Collection[str]) -> InputWarning | None:
        low, high = given[smaller], given[larger]
        if low is None or high is None or low <= high + offset:
            return None
        return warn(given)

    return check


def _build_none_if_zero(relation: NoneIfZero, none: object) -> Check:
    category, number = relation.fields
    nones = (None, none)
    warn_of_number, warn_of_zero = (_build_warning(relation, each) for each in relation.messages)

    def check(given: Values, names: Collection[str]) -> InputWarning | None:
        is_none, count = given[category] in nones, given[number]
        if is_none == (count == 0) or count is None or category not in names:
            return None
        return warn_of_number(given) if is_none else warn_of_zero(given)

    return check


def _build_warning(relation: Relation, message: str) -> Callable[[Values], InputWarning]:
    """Take the message apart, so that it is only put together for an input."""
    pieces = [
        (text, name or "", noun or "", name in relation.said_as_numbers)
        for text, name, noun, _ in Formatter().parse(message)
    ]

    def warn(values: Values) -> InputWarning:
        words = ""
        for text, name, noun, is_number in pieces:
            words += text
            if is_number:
                words += _write_number(values[name], noun)
            elif name:
                words += str(values[name])
        return InputWarning(relation.fields, words)

    return warn


def _write_number(number: float, noun: str) -> str:
    """Write a number with its noun, if it has one: `{cars:car}` becomes `1 car` or `3 cars`."""
    if not noun:
        return f"{number:.10g}"
    return f"{number:.10g} {noun}" if number == 1 else f"{number:.10g} {noun}s"
