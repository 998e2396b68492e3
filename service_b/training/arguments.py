"""Words of the command line as values; one that has no value is refused in a few words."""

import argparse
import math
from datetime import UTC, datetime

from pydantic import TypeAdapter, ValidationError

from predictor.version import AliasName
from training.pipeline import STEPS

# Of trials, splits and processes: more is a slip of the hand.
_MOST = 10_000


def parse_steps(text: str) -> tuple[str, ...]:
    names = tuple(STEPS) if text == "all" else tuple(text.split(","))
    for name in names:
        if name not in STEPS:
            raise argparse.ArgumentTypeError(f"{name!r} is not one of {', '.join(STEPS)}")
    return names


def parse_seed(text: str) -> int:
    """Read a whole number that numpy and scikit-learn take as a seed, too."""
    return parse_count(text, 2**32 - 1)


def parse_few(text: str) -> int:
    return parse_count(text, _MOST)


def parse_positive(text: str) -> int:
    if parse_few(text) == 0:
        raise argparse.ArgumentTypeError("must be at least 1")
    return int(text)


def parse_count(text: str, most: int) -> int:
    # Python reads no number of thousands of digits.
    if not text.isdecimal() or len(text) > len(str(most)) or int(text) > most:
        raise argparse.ArgumentTypeError(f"{text[:20]!r} is not a whole number from 0 to {most}")
    return int(text)


def parse_time(text: str) -> datetime:
    """Read a date or a time, in UTC unless it has an offset."""
    try:
        time = datetime.fromisoformat(text)
        return time.replace(tzinfo=UTC) if time.tzinfo is None else time.astimezone(UTC)
    except (ValueError, OverflowError) as error:
        problem = f"{text[:40]!r} is not a time such as 2026-11-02 or 2026-11-02T08:00:00Z"
        raise argparse.ArgumentTypeError(problem) from error


def parse_inflation(text: str) -> float:
    inflation = parse_number(text)
    if not -1 < inflation <= 10:
        raise argparse.ArgumentTypeError("must be above -1 and at most 10")
    return inflation


def parse_shift(text: str) -> tuple[str, float]:
    name, _, deviations = text.partition("=")
    return name, parse_number(deviations)


def parse_number(text: str) -> float:
    try:
        number = float(text)
    except ValueError:
        number = math.nan
    if not math.isfinite(number):
        raise argparse.ArgumentTypeError(f"{text[:20]!r} is not a number")
    return number


def parse_alias(text: str) -> str:
    try:
        return TypeAdapter(AliasName).validate_python(text)
    except ValidationError as error:
        raise argparse.ArgumentTypeError(f"{text[:40]!r}: {error.errors()[0]['msg']}") from error


def parse_uri(text: str) -> str:
    if not text:
        raise argparse.ArgumentTypeError("must not be empty")
    return text
