import logging
import math
from typing import Any

import pytest

from predictor.card import ModelCard
from predictor.errors import InputRejected
from predictor.inference.input_schema import build_input_type
from predictor.inference.prediction import PricePrediction
from predictor.inference.served_model import Outcome
from predictor.shadow.comparison import ChallengerHangs, Sample, compare, log_comparison
from predictor.shadow.difference import Difference
from predictor.shadow.findings import Findings
from predictor.telemetry.metrics import Metrics
from tests.shadow.fake_model import FakeModel, Number


def make_samples(*values: float) -> list[Sample]:
    pair = ("1", "2")
    findings = Findings(pair, Metrics([]).comparisons.find_series("fake", *pair))
    inputs = [Number(value=each) for each in values]
    outcomes = FakeModel("1").predict(inputs)
    return [
        Sample(f"r{index}", values, outcome, findings)
        for index, (values, outcome) in enumerate(zip(inputs, outcomes, strict=True))
    ]


def fail_at(price: float, error: BaseException) -> Any:
    def then(found: float) -> Outcome | None:
        if found == price:
            raise error
        return None

    return then


def test_each_input_is_compared_in_one_call_of_the_challenger() -> None:
    results = compare(FakeModel("2", factor=1.05), make_samples(100, 200))
    assert [result.size for result in results if isinstance(result, Difference)] == [
        pytest.approx(0.05)
    ] * 2


@pytest.mark.parametrize("error", [KeyError("a"), SystemExit(1), InputRejected("no")])
def test_only_the_input_fails_at_which_the_challenger_raises(error: BaseException) -> None:
    challenger = FakeModel("2", then=fail_at(200, error))
    first, second, third = compare(challenger, make_samples(100, 200, 300))
    assert second == repr(error)
    assert isinstance(first, Difference)
    assert isinstance(third, Difference)


def test_rejection_is_a_failure() -> None:
    challenger = FakeModel("2", then=lambda _: InputRejected("too old"))
    assert compare(challenger, make_samples(100)) == ["InputRejected('too old')"]


def test_price_that_is_no_number_is_a_failure() -> None:
    challenger = FakeModel("2", then=lambda _: PricePrediction(math.nan, "USD", None, "fake", "2"))
    assert compare(challenger, make_samples(100)) == [
        """ValueError("the challenger's price is nan")"""
    ]


def test_challenger_that_hangs_is_not_asked_again() -> None:
    challenger = FakeModel("2", then=fail_at(100, ChallengerHangs()))
    results = compare(challenger, make_samples(100, 200))
    assert results == ["ChallengerHangs()"] * 2


def test_input_is_checked_as_the_card_of_the_challenger_says(
    card: ModelCard, house: dict[str, Any]
) -> None:
    """What the caller left out stays unknown, and a category that is gone is a failure."""
    challenger = FakeModel("2")
    del house["lot_frontage"]
    asked = build_input_type(card).model_validate(house)
    seen = []

    def read(inputs: Any) -> list[Outcome]:
        seen.extend(inputs)
        return [PricePrediction(100, "USD", None, "fake", "2") for _ in inputs]

    challenger.predict = read  # type: ignore[method-assign]
    (sample,) = make_samples(100)
    challenger.input_type = build_input_type(card)
    (found,) = compare(challenger, [sample._replace(values=asked)])
    assert isinstance(found, Difference)
    assert type(seen[0]) is challenger.input_type
    assert seen[0].model_dump(exclude_unset=True) == asked.model_dump(exclude_unset=True)
    assert "lot_frontage" not in seen[0].model_fields_set

    fewer = card.model_dump()
    fewer["features"][3]["categories"] = ("Veenker", "C (all)")
    fewer["example"]["neighborhood"] = "Veenker"
    challenger.input_type = build_input_type(ModelCard.model_validate(fewer))
    (reason,) = compare(challenger, [sample._replace(values=asked)])
    assert isinstance(reason, str)
    assert "neighborhood" in reason


def test_line_says_what_differs_or_why_there_is_nothing_to_compare(
    caplog: pytest.LogCaptureFixture,
) -> None:
    (sample,) = make_samples(100)
    with caplog.at_level(logging.INFO):
        for challenger in (FakeModel("2", 1.1), FakeModel("2", then=fail_at(100, KeyError("a")))):
            (result,) = compare(challenger, [sample])
            log_comparison("fake", sample, result)
    ids = {"request_id": "r0", "model": "fake", "version": "1", "challenger": "2"}
    lines: list[tuple[str, str, Any]] = [
        (each.levelname, each.getMessage(), vars(each)["fields"]) for each in caplog.records
    ]
    assert lines == [
        (
            "INFO",
            "challenger compared",
            ids | {"price": 100, "challenger_price": 110, "difference": 0.1},
        ),
        ("WARNING", "challenger failed", ids | {"reason": "KeyError('a')"}),
    ]
