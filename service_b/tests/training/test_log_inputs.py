import json
from typing import Any

import numpy as np
import pytest

from predictor.card import ModelCard
from tests.training.exported_inputs import make_record
from training.errors import TrainingError
from training.export import LoggedInput
from training.log_inputs import LogInputs, collect, find_sales


def collect_all(card: ModelCard, *records: dict[str, Any]) -> LogInputs:
    lines = map(json.dumps, records)
    return collect(card, map(LoggedInput.model_validate_json, lines))


def test_values_are_numbers_and_places_of_categories(
    card: ModelCard, house: dict[str, Any]
) -> None:
    house |= {"neighborhood": " veenker "}
    del house["lot_frontage"]
    found = collect_all(card, make_record(1, model="tiny", data=house))
    values = dict(zip([each.name for each in card.inputs], found.values[0], strict=True))
    features = {each.name: each for each in card.inputs}
    assert (values["first_flr_sf"], values["garage_yr_blt"]) == (896, 1961)
    for name, category in (("neighborhood", "Veenker"), ("pool_qc", "NA"), ("ms_sub_class", 20)):
        assert (features[name].categories or ())[int(values[name])] == category
    assert np.isnan(values["lot_frontage"])


def test_inputs_of_other_models_and_those_only_to_be_logged_are_left_out(
    card: ModelCard, house: dict[str, Any]
) -> None:
    found = collect_all(
        card,
        make_record(1, model="tiny", data=house),
        make_record(2, model="tiny@challenger", data=house),
        make_record(3, model="ames", data=house),
        make_record(4, model="tiny", data="anything", outcome="logged"),
    )
    assert [each.number for each in found.logged] == [1, 2]
    assert found.refused == 0


def test_refused_inputs_are_counted_by_reason(card: ModelCard, house: dict[str, Any]) -> None:
    wrong: list[Any] = [
        house | {"neighborhood": "Atlantis"},
        house | {"neighborhood": "Atlantis"},
        house | {"neighborhood": 7},
        house | {"overall_qual": 99},
        house | {"overall_qual": "five"},
        house | {"colour|`": "red"},
        {},
        "no house",
    ]
    records = (make_record(n, model="tiny", data=each) for n, each in enumerate(wrong, start=1))
    found = collect_all(card, *records)
    assert found.refusals == {
        "neighborhood: no such category": 3,
        "overall_qual: out of bounds": 1,
        "overall_qual: of the wrong type": 1,
        '"colour|`": is no field': 1,
        "first_flr_sf: is missing": 1,
        "input: is not an object": 1,
    }
    assert found.never_seen == {("neighborhood", "Atlantis"): 2, ("neighborhood", "7"): 1}
    assert found.refused == len(wrong)
    assert found.values.shape == (0, len(card.inputs))


def test_export_without_an_input_of_the_model_is_an_error(card: ModelCard) -> None:
    with pytest.raises(TrainingError, match="the export has no input of tiny"):
        collect_all(card, make_record(1, model="ames"))


def test_sales_are_those_that_the_version_has_priced(
    card: ModelCard, house: dict[str, Any]
) -> None:
    sold = {"model": "tiny", "data": house, "actual_price": 215_000.0}
    found = collect_all(
        card,
        make_record(1, **sold),
        make_record(2, **sold, model_version="2"),
        make_record(3, **sold, outcome="unavailable", price=None, model_version=None),
        make_record(4, model="tiny", data=house),
        make_record(200, **sold, interval_lower=None, interval_upper=None),
    )
    sales = find_sales(card, found)
    assert sales.weeks == ["2026-W45", "2026-W46"]
    assert sales.actual.tolist() == [215_000, 215_000]
    assert sales.predicted.tolist() == [200_000, 200_000]
    assert sales.lower[0] == 180_000
    assert np.isnan(sales.upper[1])
    assert sales.known_shares.tolist() == [1, 1]
