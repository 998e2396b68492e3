"""Both ways to evaluate the models that ship: the fast path, and its plain twin, the pipelines."""

from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from fsspec.implementations.local import LocalFileSystem  # type: ignore[import-untyped]

from predictor.fast_path.plan import FastPath
from predictor.inference.card_model import CardModel
from predictor.inference.pipelines import Pipelines
from predictor.inference.registered_model import load_registered
from predictor.version import Folder
from tests.training.test_shipped import AMES, VERSIONS

WAYS: dict[str, type[FastPath | Pipelines]] = {"fast_path": FastPath, "pipelines": Pipelines}


@pytest.fixture(scope="module", params=WAYS)
def way(request: pytest.FixtureRequest) -> str:
    name: str = request.param
    return name


@pytest.fixture(scope="module", params=VERSIONS)
def model(request: pytest.FixtureRequest, way: str) -> CardModel:
    return load(request.param, way)


@pytest.fixture(scope="module", params=AMES)
def ames(request: pytest.FixtureRequest, way: str) -> CardModel:
    return load(request.param, way)


@cache
def load(folder: Path, way: str) -> CardModel:
    files = Folder(LocalFileSystem(), str(folder), folder.name)
    model = load_registered(folder.parent.name, files, fast_path=way == "fast_path")
    assert isinstance(model.evaluation, WAYS[way])
    return model


def price(model: CardModel, inputs: Sequence[dict[str, Any]]) -> list[float]:
    values = [model.input_type.model_validate(each) for each in inputs]
    return [prediction.price for prediction in model.predict(values)]


def test_golden_prices_come_out(model: CardModel) -> None:
    golden = model.card.golden
    assert price(model, [each.input for each in golden]) == pytest.approx(
        [each.price for each in golden], rel=1e-9
    )


def test_inputs_are_priced_in_order_and_alike_one_by_one_and_together(model: CardModel) -> None:
    inputs = [each.input for each in model.card.golden] * 20  # more than one way to look rows up
    alone = [price(model, [each])[0] for each in inputs[: len(model.card.golden)]]
    assert len(set(alone)) == len(alone)
    np.testing.assert_allclose(price(model, inputs), alone * 20, rtol=1e-9)


def test_interval_is_around_the_price_and_of_another_width_for_each_input(model: CardModel) -> None:
    golden = [model.input_type.model_validate(each.input) for each in model.card.golden]
    widths = set()
    for prediction in model.predict(golden):
        bounds = prediction.interval
        assert bounds is not None
        assert bounds.lower < prediction.price < bounds.upper
        widths.add(bounds.upper / bounds.lower)
    assert len(widths) == len(golden)


def test_whole_numbers_are_the_same_as_integers_and_as_floats(model: CardModel) -> None:
    numbers = {
        each.name: float(model.card.example[each.name])
        for each in model.card.inputs
        if each.kind == "integer" and model.card.example.get(each.name) is not None
    }
    assert numbers
    first, second = price(model, [model.card.example, {**model.card.example, **numbers}])
    assert first == second


def test_null_is_the_category_none_where_the_data_has_one(ames: CardModel) -> None:
    house = ames.card.example
    none = {each.name: each.none for each in ames.card.features if each.none is not None}
    nulls = price(ames, [{**house, name: None} for name in none])
    spelled = price(ames, [{**house, name: category} for name, category in none.items()])
    left_out = [{key: house[key] for key in house if key != name} for name in none]
    assert nulls == spelled
    assert nulls != price(ames, left_out)


def test_null_is_unknown_where_the_data_has_no_category_none(ames: CardModel) -> None:
    house = ames.card.example
    names = [each.name for each in ames.card.inputs if each.nullable and each.none is None]
    assert names
    left_out = [{key: house[key] for key in house if key != name} for name in names]
    assert price(ames, [{**house, name: None} for name in names]) == price(ames, left_out)


def test_identifier_does_not_change_the_price(ames: CardModel) -> None:
    (name,) = [each.name for each in ames.card.features if each.kind == "identifier"]
    first, second = price(ames, [{**ames.card.example, name: number} for number in (1, 2)])
    assert first == second


def test_only_the_fast_path_is_quick(model: CardModel, way: str) -> None:
    assert bool(model.quick_batch) is (way == "fast_path")
