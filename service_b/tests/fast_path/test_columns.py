import math

import numpy as np
import pytest
from scipy.spatial import cKDTree

from predictor.card import ModelCard
from predictor.errors import NoFastPath
from predictor.estimators import Derived, Encoder, NearbyTargets
from predictor.fast_path.columns import build_derived, build_nearby, read_places
from predictor.fast_path.encoding import Encoding, Matrix

# Of the columns of `tiny` 2, 3 and 4 hold categories.
NUMBERS = (0, 1, 5, 6)


@pytest.fixture
def encoding(card: ModelCard) -> Encoding:
    return Encoding(card.features)


def make_rows(count: int) -> Matrix:
    """Rows of numbers, some of them zero, tiny or unknown."""
    random = np.random.default_rng(count)
    rows = random.normal(size=(count, 7))
    for value in (0, 1e-320, math.nan):
        rows[random.random(rows.shape) < 0.1] = value
    return rows


@pytest.mark.parametrize("count", [1, 2, 200])
def test_derived_columns_are_the_same_bits(encoding: Encoding, count: int) -> None:
    derived = Derived(
        sums=(((0, 1), (1, 0.1), (5, -3)), ((6, 2),), ((1, 0.3), (0, 0.7))),
        products=((0, 1), (5, 5)),
        ratios=((0, 6), (6, 0)),
    )
    rows = make_rows(count)
    found = build_derived(derived, encoding)(rows)
    np.testing.assert_array_equal(found, derived.transform(rows))


@pytest.mark.parametrize("empty", ["sums", "products", "ratios"])
def test_derived_columns_may_lack_a_kind(encoding: Encoding, empty: str) -> None:
    kinds = {"sums": (((0, 1), (1, 2)),), "products": ((0, 1),), "ratios": ((0, 1),)}
    derived = Derived(**(kinds | {empty: ()}))  # type: ignore[arg-type]
    rows = make_rows(20)
    found = build_derived(derived, encoding)(rows)
    np.testing.assert_array_equal(found, derived.transform(rows))


@pytest.mark.parametrize("count", [1, 50])
def test_nearby_targets_are_the_same(encoding: Encoding, count: int) -> None:
    random = np.random.default_rng(0)
    spaces = (((0, 1.0), (1, 0.5)), ((5, 2.0),))
    nearby = NearbyTargets(spaces, counts=(1, 3, 8), softening=0.01)
    nearby.fit(random.normal(size=(100, 7)), random.random(100))
    rows = random.normal(size=(count, 7))
    found = build_nearby(nearby, encoding)(rows)
    np.testing.assert_allclose(found, nearby.transform(rows), rtol=1e-12)


def test_version_with_a_tree_for_each_space_gives_the_same(encoding: Encoding) -> None:
    random = np.random.default_rng(0)
    spaces = (((0, 1.0), (1, 0.5)), ((5, 2.0),), ((1, -3.0), (0, 1.0), (6, 0.1)))
    matrix, rows = random.normal(size=(60, 7)), random.normal(size=(20, 7))
    nearby = NearbyTargets(spaces, counts=(1, 4), softening=0.01).fit(matrix, random.random(60))
    expected = nearby.transform(rows)
    nearby.trees_ = [
        cKDTree(np.column_stack([weight * matrix[:, column] for column, weight in space]))
        for space in spaces
    ]
    for found in (nearby.transform(rows), build_nearby(nearby, encoding)(rows)):
        np.testing.assert_allclose(found, expected, rtol=1e-12)


@pytest.mark.parametrize(
    "derived",
    [
        Derived((((2, 1),),), (), ()),
        Derived((), ((0, 3),), ()),
        Derived((), (), ((4, 0),)),
    ],
)
def test_derived_columns_of_categories_are_refused(encoding: Encoding, derived: Derived) -> None:
    with pytest.raises(NoFastPath, match="categories"):
        build_derived(derived, encoding)


def test_nearness_by_categories_is_refused(encoding: Encoding) -> None:
    nearby = NearbyTargets((((0, 1.0), (2, 1.0)),), counts=(1,), softening=0.1)
    nearby.fit(make_rows(0).reshape(0, 7), np.empty(0))
    with pytest.raises(NoFastPath, match="categories"):
        build_nearby(nearby, encoding)


def test_places_are_those_of_the_encoder(card: ModelCard, encoding: Encoding) -> None:
    encoder = Encoder(tuple(each.categories for each in card.inputs))
    rows = np.array(
        [
            [896, 5, "NAmes", 20, "NA", 1961, 80],
            [999, 6, "Veenker", 60, "Gd", 1999, 90],
        ],
        dtype=object,
    )
    encoder.fit(rows, np.array([1.0, 2.0]))
    places = read_places(encoder, encoding)
    for code, (column, category) in enumerate(encoding.meanings):
        row = np.full((1, 7), math.nan, dtype=object)
        row[0, column] = category
        np.testing.assert_array_equal(places[code], encoder.transform(row)[0, column])


@pytest.mark.parametrize("column", [0, 2])
def test_encoder_that_takes_other_columns_for_categories_is_refused(
    card: ModelCard, encoding: Encoding, column: int
) -> None:
    categories = [each.categories for each in card.inputs]
    categories[column] = None if categories[column] else (1, 2)
    encoder = Encoder(tuple(categories))
    encoder.fit(np.empty((0, 7), dtype=object), np.zeros(1))
    with pytest.raises(NoFastPath, match="different columns"):
        read_places(encoder, encoding)
