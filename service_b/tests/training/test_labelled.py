import json
from datetime import timedelta
from typing import Any

import numpy as np
import pytest

from predictor.card import Feature
from tests.training.exported_inputs import STARTED_AT, make_record
from training.errors import TrainingError
from training.export import LoggedInput
from training.labelled import LEAST_ROWS, Labelled, keep_labelled, read_labelled

FEATURES = (
    Feature(name="id", column="Id", kind="identifier", meaning="Any.", minimum=0, maximum=9),
    Feature(
        name="lot_area",
        column="LotArea",
        kind="integer",
        meaning="Size.",
        minimum=100,
        maximum=9000,
        required=True,
    ),
    Feature(
        name="pool_qc",
        column="PoolQC",
        kind="category",
        meaning="Pool.",
        categories=("Ex", "NA"),
        nullable=True,
        none="NA",
    ),
)
DATA = np.array([[500.0, "NA"], [600.0, "Ex"], [700.0, np.nan]], dtype=object)
PRICES = np.array([90_000.0, 100_000.0, 110_000.0])


def log(number: int, data: Any, **changes: Any) -> LoggedInput:
    record = make_record(number, actual_price=100_000.0, data=data) | changes
    return LoggedInput.model_validate_json(json.dumps(record))


def log_many(count: int = LEAST_ROWS) -> list[LoggedInput]:
    return [log(number, {"lot_area": 1000 + number}) for number in range(1, count + 1)]


def read(logged: list[LoggedInput]) -> Labelled:
    return read_labelled(keep_labelled(logged, "ames"), "ames", FEATURES, DATA, PRICES)


def test_inputs_are_typed_like_the_data_however_callers_wrote_them() -> None:
    written = [
        {"id": 3, "lotArea": 1001, "poolQc": " ex"},
        {"lot_area": 1002, "pool_qc": None},
        {"lot_area": 1003},
    ]
    first = [log(number, data) for number, data in enumerate(written, start=1)]
    labelled = read([*first, *log_many()[3:]])
    assert labelled.inputs[:2].tolist() == [[1001.0, "Ex"], [1002.0, "NA"]]
    area, pool = labelled.inputs[2]
    assert (area, np.isnan(pool)) == (1003.0, True)


def test_only_inputs_of_the_model_with_a_true_price_are_kept_oldest_first() -> None:
    others = [
        log(101, {"any": "thing"}, model="california"),
        log(102, {"lot_area": 300}, actual_price=None),
        log(103, "a note", actual_price=None, outcome="logged"),
        log(104, {"lot_area": 400}, model="ames@challenger"),
    ]
    kept = keep_labelled([*others, *log_many()], "ames").splitlines()
    numbers = [json.loads(line)["number"] for line in kept]
    assert numbers == [*range(1, LEAST_ROWS + 1), 104]


def test_of_inputs_that_describe_the_same_house_the_newest_counts() -> None:
    again = log(99, {"lotArea": 1005.0}, actual_price=123_456.0)
    labelled = read([*log_many(LEAST_ROWS + 1), again])
    assert (len(labelled.prices), labelled.repeated) == (LEAST_ROWS + 1, 1)
    assert labelled.prices[-1] == 123_456
    assert sorted(labelled.inputs[:, 0]).count(1005) == 1


def test_rows_of_the_data_give_way_to_newer_sales_of_the_same_houses() -> None:
    sold_again = [log(98, {"lotArea": 500, "poolQc": None}), log(99, {"lotArea": 700})]
    labelled = read([*log_many(), *sold_again])
    assert labelled.replaced.tolist() == [0, 2]
    assert "2 rows of the data left out" in " ".join(labelled.remarks)


def test_newest_fifth_is_held_out_by_time() -> None:
    labelled = read(log_many())
    assert labelled.held_out_from == STARTED_AT + timedelta(hours=LEAST_ROWS * 4 // 5 + 1)


def test_every_row_that_cannot_be_used_is_counted_and_the_first_are_named() -> None:
    wrong = [
        log(91, {"lot_area": 50}),
        log(92, {"lot_area": 500, "garage": 2}),
        log(93, ["no", "object"]),
        log(94, {}),
        log(95, {"lot_area": 500}, actual_price=215.0),
    ]
    with pytest.raises(TrainingError) as raised:
        read([*log_many(), *wrong])
    assert str(raised.value) == (
        "labelled inputs can't be used: "
        "input 91: lot_area: Input should be greater than or equal to 100; "
        "input 92: garage: Extra inputs are not permitted; "
        "input 93: Input should be a valid dictionary or instance of AmesInput; and 2 more"
    )


@pytest.mark.parametrize("price", [215.0, 215_000_000.0])
def test_price_that_cannot_be_true_is_named(price: float) -> None:
    with pytest.raises(TrainingError, match=f"input 91: a price of {price:,.0f} can't be true"):
        read([*log_many(), log(91, {"lot_area": 500}, actual_price=price)])


def test_true_price_of_an_input_that_was_never_predicted_is_refused() -> None:
    with pytest.raises(TrainingError, match="input 9 has an actual price, but was never predicted"):
        keep_labelled([*log_many(), log(9, "a note", outcome="logged")], "ames")


def test_too_few_rows_are_refused() -> None:
    with pytest.raises(TrainingError, match="49 different inputs of ames have an actual price"):
        keep_labelled(log_many(LEAST_ROWS - 1), "ames")
    same = [log(number, {"lot_area": 1001}) for number in range(51, 90)]
    with pytest.raises(TrainingError, match="40 different inputs of ames have an actual price"):
        read([*log_many(40), *same])


def test_rows_that_came_all_at_once_are_refused() -> None:
    at_once = {"received_at": "2026-11-02T00:00:00Z"}
    logged = [log(number, {"lot_area": 1000 + number}, **at_once) for number in range(1, 60)]
    with pytest.raises(TrainingError, match="received at once"):
        read(logged)
