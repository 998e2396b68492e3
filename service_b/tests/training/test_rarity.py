"""Rows of places that the model hasn't seen: their intervals, and what the others pay for that."""

import hashlib
import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from fsspec.implementations.local import LocalFileSystem  # type: ignore[import-untyped]

from predictor.card import Feature, read_card
from predictor.inference.registered_model import load_registered
from predictor.version import Folder
from tests.training.test_registration import CONTENTS
from training.ames import RECIPE as AMES
from training.evaluation import Data, Trained, train
from training.parameters import Parameters
from training.rarity import WARN_BELOW, name_places
from training.recipe import Recipe
from training.registration import register

FEATURES = tuple(
    Feature(
        name=name, column=name, kind="number", meaning="Any.", minimum=-99, maximum=99,
        required=True,
    )
    for name in ("size", "east", "north")
)  # fmt: skip
RECIPE: Recipe = replace(
    AMES, sums=(), products=(), ratios=(), rises={}, places={"east": 1, "north": 1},
    place={"east": 1.0, "north": 1.0}, spaces=({"east": 1.0, "north": 1.0},), neighbours=(1, 10),
)  # fmt: skip
PARAMETERS = Parameters(
    trees=10, learning_rate=0.5, spread_trees=3, features_per_split=1.0, nearby=True, typical=True,
)  # fmt: skip


def make_data() -> Data:
    """Rows in 36 towns, each with a level of prices that nothing but its own rows shows."""
    random = np.random.default_rng(0)
    town = random.integers(0, 36, 1_500)
    inputs = np.column_stack(
        [
            random.uniform(0, 3, len(town)),
            town // 6 + random.uniform(0.2, 0.8, len(town)),
            town % 6 + random.uniform(0.2, 0.8, len(town)),
        ]
    )
    levels = random.normal(0, 0.3, 36)[town]
    prices = 100_000 * np.exp(0.2 * inputs[:, 0] + levels + random.normal(0, 0.1, len(town)))
    return Data(FEATURES, inputs.astype(object), prices)


@pytest.fixture(scope="module")
def parts() -> tuple[Data, Data, Data]:
    """Rows to learn from, rows of the same towns, and rows of other towns."""
    data = make_data()
    is_new = np.isin(name_places(RECIPE, FEATURES, data.inputs), ["1.0 1.0", "4.0 2.0", "2.0 4.0"])
    usual = np.flatnonzero(~is_new)
    return data.take(usual[:-400]), data.take(usual[-400:]), data.take(np.flatnonzero(is_new))


@pytest.fixture(scope="module")
def trained(parts: tuple[Data, Data, Data]) -> Trained:
    return train(RECIPE, parts[0], 0, PARAMETERS)


def cover(trained: Trained, data: Data) -> float:
    errors = np.abs(np.log(trained.predict(data.inputs) / data.prices))
    return float(np.mean(errors <= trained.measure_half_width(data.inputs)))


def test_intervals_cover_enough_in_new_places_and_no_more_than_is_meant_elsewhere(
    trained: Trained, parts: tuple[Data, Data, Data]
) -> None:
    _, usual, new = parts
    narrow = replace(trained, rarity=None)
    assert cover(narrow, new) < 0.75
    assert cover(trained, new) >= 0.85
    for each in (narrow, trained):
        assert cover(each, usual) == pytest.approx(0.9, abs=0.04)


def test_more_unusual_never_has_a_smaller_factor(trained: Trained) -> None:
    assert trained.rarity is not None
    factors = [each.factor for each in trained.rarity.widening]
    assert factors == sorted(factors, reverse=True)
    assert factors[0] > 1.2 > factors[-1]


def test_version_says_the_same_of_a_row_as_its_training(
    trained: Trained, parts: tuple[Data, Data, Data], tmp_path: Path
) -> None:
    new = parts[2]
    inputs = [dict(zip(("size", "east", "north"), row, strict=True)) for row in new.inputs]
    contents = CONTENTS | {"features": FEATURES, "example": inputs[0], "libraries": {}}
    folder = register(trained, contents, (), tmp_path)
    card = read_card(folder)
    assert card.typical is not None
    file = (folder / card.typical.artifact.file).read_bytes()
    assert card.typical.artifact.sha256 == hashlib.sha256(file).hexdigest()
    assert card.typical.place == ("east", "north")
    for fast_path in (False, True):
        model = load_registered(
            "tiny", Folder(LocalFileSystem(), str(folder), "1"), fast_path=fast_path
        )
        assert bool(model.quick_batch) is fast_path
        found = model.predict([model.input_type.model_validate(each) for each in inputs])
        assert trained.rarity is not None
        shares = np.array([each.typical for each in found], dtype=np.float64)
        np.testing.assert_allclose(shares, trained.rarity.measure(new.inputs), rtol=1e-9)
        widths = [math.log(each.interval.upper / each.price) for each in found if each.interval]
        np.testing.assert_allclose(widths, trained.measure_half_width(new.inputs), rtol=1e-9)
        lonely = [each for each in found if (each.typical or 0) < WARN_BELOW]
        assert len(lonely) > 10
        assert {each.warnings[0].fields for each in lonely} == {("east", "north")}


def test_place_is_named_by_its_step(parts: tuple[Data, Data, Data]) -> None:
    assert set(name_places(RECIPE, FEATURES, parts[2].inputs)) == {"1.0 1.0", "4.0 2.0", "2.0 4.0"}
