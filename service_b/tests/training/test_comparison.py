import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from predictor.inference.card_model import CardModel
from tests.training.exported_inputs import STARTED_AT, make_record, write_export
from training import commands
from training.__main__ import main
from training.ames import RECIPE
from training.comparison import compare_on, load_model, measure_difference
from training.comparison_report import describe_comparison
from training.errors import TrainingError
from training.export import LoggedInput

WriteVersion = Callable[..., Path]
EDGES = (110_000,)


@pytest.fixture
def models(
    write_version: WriteVersion, dear_artifact: bytes, models_folder: Path
) -> tuple[CardModel, CardModel]:
    """The second version asks twice the price of the first."""
    write_version("1")
    write_version("2", pickle=dear_artifact)
    family = models_folder / "tiny"
    return load_model(family, "1"), load_model(family, "2")


def sell(house: dict[str, Any], count: int = 60, factor: float = 1) -> list[dict[str, Any]]:
    """Houses of all sizes, sold at about the prices of the first version."""
    return [
        make_record(
            number,
            model="tiny",
            data=house | {"first_flr_sf": 700 + 10 * number},
            actual_price=factor * (80_000 + 1_500 * number),
        )
        for number in range(1, count + 1)
    ]


def read(records: list[dict[str, Any]]) -> list[LoggedInput]:
    return [LoggedInput.model_validate_json(json.dumps(each)) for each in records]


def test_worse_version_is_worse_by_more_than_chance(
    models: tuple[CardModel, CardModel], house: dict[str, Any]
) -> None:
    found = compare_on(models, read(sell(house)), EDGES)
    assert found.versions == ("1", "2")
    assert (found.whole.verdict, found.whole.sales) == ("worse", 60)
    assert 0 < found.whole.low < found.whole.change < found.whole.high
    assert [(band.name, band.sales) for band in found.bands] == [
        ("under 110,000", 19),
        ("110,000 and more", 41),
    ]
    (first, _), (second, (low, high)) = (each for each in found.coverages if each is not None)
    assert first > second == low == 0 < high
    first_mape, second_mape = found.whole.mape_percent
    assert second_mape - first_mape == pytest.approx(found.whole.change)


def test_better_version_is_better_by_more_than_chance(
    models: tuple[CardModel, CardModel], house: dict[str, Any]
) -> None:
    found = compare_on(models, read(sell(house, factor=2)), EDGES)
    assert found.whole.verdict == "better"


def test_same_version_is_no_better_than_itself(
    models: tuple[CardModel, CardModel], house: dict[str, Any]
) -> None:
    found = compare_on((models[0], models[0]), read(sell(house)), EDGES)
    assert (found.whole.verdict, found.whole.change, found.whole.low) == ("chance", 0, 0)
    assert describe_comparison(found).startswith("No difference that is more than chance")


def test_interval_of_the_difference_holds_it_about_as_often_as_it_says() -> None:
    random = np.random.default_rng(0)
    errors = np.full(50, 5.0)
    intervals = [
        measure_difference("all", errors, errors + random.normal(0.3, 1, 50)) for _ in range(40)
    ]
    assert 36 <= sum(each.low <= 0.3 <= each.high for each in intervals) <= 39


def test_inputs_that_a_version_was_trained_on_are_left_out(
    models: tuple[CardModel, CardModel], house: dict[str, Any]
) -> None:
    first, second = models
    rows = {
        "artifact": {"file": "labelled.jsonl", "sha256": "0" * 64},
        "rows": 20,
        "received_from": STARTED_AT,
        "held_out_from": "2026-11-02T20:00:00Z",
        "held_out_rows": 5,
        "received_until": "2026-11-03T00:00:00Z",
        "repeated": 0,
        "replaced": 0,
        "price_level": 1.0,
    }
    training = type(second.card.training).model_validate(
        second.card.training.model_dump() | {"labelled": rows}
    )
    second.card = second.card.model_copy(update={"training": training})
    found = compare_on((first, second), read(sell(house)), EDGES)
    assert (found.whole.sales, found.left_out) == (41, 19)


def test_version_that_has_seen_rows_that_the_other_has_not_is_named(
    models: tuple[CardModel, CardModel], house: dict[str, Any]
) -> None:
    first, second = models
    assert "Only version" not in describe_comparison(compare_on(models, read(sell(house)), EDGES))
    training = second.card.training.model_copy(update={"kept_rows": 586})
    second.card = second.card.model_copy(update={"training": training})
    found = compare_on((first, second), read(sell(house)), EDGES)
    assert "- Only version 1 was trained on all rows" in describe_comparison(found)


def test_too_few_sales_are_an_error(
    models: tuple[CardModel, CardModel], house: dict[str, Any]
) -> None:
    unsold = [make_record(100 + number, model="tiny", data=house) for number in range(50)]
    with pytest.raises(TrainingError, match="29 inputs of tiny have an actual price"):
        compare_on(models, read(sell(house, count=29) + unsold), EDGES)


def test_input_that_a_version_does_not_take_is_named(
    models: tuple[CardModel, CardModel], house: dict[str, Any]
) -> None:
    records = sell(house)
    records[6]["data"] = house | {"overall_qual": 99}
    with pytest.raises(TrainingError, match="version 1 doesn't take input 7: overall_qual: Input"):
        compare_on(models, read(records), EDGES)


def test_damaged_version_is_an_error(write_version: WriteVersion, models_folder: Path) -> None:
    (write_version("1") / "model.joblib").write_bytes(b"spoiled")
    with pytest.raises(TrainingError, match=r"model\.joblib: sha256 is "):
        load_model(models_folder / "tiny", "1")


@pytest.mark.usefixtures("models")
def test_command_says_which_version_is_better_and_by_its_status(
    models_folder: Path,
    house: dict[str, Any],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setitem(commands.RECIPES, "tiny", replace(RECIPE, name="tiny"))
    file = write_export(tmp_path / "sold.jsonl", sell(house))

    def compare(*versions: str, source: Path = file) -> tuple[int, str]:
        options = ["--labelled", str(source), "--models", str(models_folder)]
        status = main(["compare", "tiny", *versions, *options, "--output", str(tmp_path / "out")])
        captured = capsys.readouterr()
        return status, captured.out + captured.err

    status, printed = compare("1", "2")
    assert status == 1
    assert printed.startswith("Version 2 is worse than version 1 on 60 sales, by more than chance")
    assert "- Intervals of version 2 hold 0.000 of the prices (0.000 to 0.0" in printed
    status, printed = compare("2", "1")
    assert status == 0
    assert printed.startswith("Version 1 is better than version 2 on 60 sales")
    report = (tmp_path / "out" / "report.md").read_text(encoding="utf-8")
    assert report.startswith("# Tiny houses: version 1 against 2\n")
    assert "![comparison](comparison.png)" in report
    assert (tmp_path / "out" / "comparison.png").stat().st_size > 1000
    status, printed = compare("1", "2", source=tmp_path / "none")
    assert status == 2
    assert printed == f"error: cannot read {tmp_path / 'none'}: No such file or directory\n"
