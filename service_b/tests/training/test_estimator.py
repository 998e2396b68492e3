import math
import pickle
from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest

from predictor.card import Feature
from predictor.estimators import Encoder
from training.ames import RECIPE as AMES
from training.errors import TrainingError
from training.estimator import Prices, fit_estimator
from training.hidden_fields import Inputs, hide_fields, keep_required, keep_some
from training.parameters import Parameters
from training.recipe import Kernel, Recipe

FEATURES = (
    Feature(
        name="area", column="Area", kind="number", meaning="Size.", minimum=0, maximum=5_000,
        required=True,
    ),
    Feature(
        name="place", column="Place", kind="category", meaning="Where.", categories=("A", "B", "C")
    ),
    Feature(name="kind", column="Kind", kind="category", meaning="What.", categories=(20, 120)),
    Feature(name="age", column="Age", kind="integer", meaning="Years.", minimum=0, maximum=200),
)  # fmt: skip
RECIPE: Recipe = replace(
    AMES,
    sums=({"area": 1, "age": -2},),
    products=(("area", "age"),),
    ratios=(("area", "age"),),
    spaces=({"area": 0.001},),
    neighbours=(1, 3),
)
PARAMETERS = Parameters(
    weights={"boosting": 0.7, "linear": 0.3},
    whole_copies=2,
    partial_copies=4,
    trees=60,
    learning_rate=0.1,
    leaves_per_tree=8,
    features_per_split=1.0,
)


def make_sales(count: int = 400) -> tuple[Inputs, Prices]:
    """Sales whose price follows area and place: B is the cheapest, then C, then A."""
    random = np.random.default_rng(1)
    inputs = np.empty((count, 4), dtype=object)
    inputs[:, 0] = random.uniform(500, 3_000, count)
    inputs[:, 1] = random.choice(["A", "B", "C"], count)
    inputs[:, 2] = random.choice(np.array([20, 120], dtype=object), count)
    inputs[:, 3] = random.integers(0, 100, count).astype(float)
    factor = np.array([{"A": 2.0, "B": 0.8, "C": 1.2}[place] for place in inputs[:, 1]])
    return inputs, 100 * inputs[:, 0].astype(float) * factor


def test_categories_become_their_place_by_price_and_unknown_becomes_nan() -> None:
    inputs, prices = make_sales()
    encoder = Encoder(tuple(feature.categories for feature in FEATURES)).fit(inputs, prices)
    rows = np.array(
        [[900.0, "A", 20, 5.0], [900.0, "B", 120, math.nan], [900.0, "C", math.nan, 5.0],
         [900.0, math.nan, 20, 5.0], [900.0, "elsewhere", None, None]],
        dtype=object,
    )  # fmt: skip
    encoded = encoder.transform(rows)
    np.testing.assert_array_equal(encoded[:, 0], 900)
    np.testing.assert_array_equal(encoded[:, 1], [2, 0, 1, math.nan, math.nan])
    assert set(encoded[:2, 2]) == {0, 1}
    assert math.isnan(encoded[2, 2])
    np.testing.assert_array_equal(encoded[:, 3], [5, math.nan, 5, 5, math.nan])


def test_rare_category_is_placed_near_the_middle() -> None:
    inputs, prices = make_sales()
    inputs[inputs[:, 1] == "A", 1] = "C"
    inputs[0, 1] = "A"
    prices[0] = prices.max() * 2
    encoder = Encoder(tuple(feature.categories for feature in FEATURES)).fit(inputs, np.log(prices))
    rows = np.array([[900.0, place, 20, 5.0] for place in "ABC"], dtype=object)
    np.testing.assert_array_equal(encoder.transform(rows)[:, 1], [1, 0, 2])


def test_rare_ordered_category_takes_the_place_of_the_next() -> None:
    inputs, prices = make_sales()
    inputs[inputs[:, 1] == "A", 1] = "B"
    inputs[0, 1] = "A"
    encoder = Encoder(
        tuple(feature.categories for feature in FEATURES), (False, True, False, False)
    ).fit(inputs, prices)
    rows = np.array([[900.0, place, 20, 5.0] for place in "ABC"], dtype=object)
    # B is the cheapest: by price it would stand before A.
    np.testing.assert_array_equal(encoder.transform(rows)[:, 1], [1, 1, 2])


def test_price_rises_where_people_expect_it_though_a_few_rows_say_otherwise() -> None:
    inputs, prices = make_sales()
    # The oldest are dearer again, as a parabola would have it; the one of kind A is dear.
    ages = inputs[:, 3].astype(float)
    prices = prices * np.where(ages < 20, 1.1, 1 + ages / 200)
    inputs[inputs[:, 1] == "A", 1] = "C"
    inputs[0, 1] = "A"
    recipe = replace(RECIPE, rises={"age": (0, 20), "place": ("A", "B", "C")})
    steps = {}
    for rising in (False, True):
        parameters = replace(PARAMETERS, weights={"linear": 1.0}, rising=rising, derived=False)
        estimator = fit_estimator(recipe, FEATURES, inputs, prices, 0, parameters)
        for column, low, high in ((3, 0.0, 20.0), (1, "A", "B")):
            below, above = inputs.copy(), inputs.copy()
            below[:, column], above[:, column] = low, high
            change = estimator.predict(above) / estimator.predict(below) - 1
            steps[rising, column] = float(np.mean(change))
    assert steps[False, 3] < 0 < steps[True, 3]
    assert steps[False, 1] < 0
    assert steps[True, 1] == 0


def test_each_member_with_trees_is_averaged_over_so_many_seeds() -> None:
    inputs, prices = make_sales(100)
    alone = replace(PARAMETERS, weights={"boosting": 1.0}, partial_copies=0, trees=5)
    alone = replace(alone, features_per_split=0.5)
    first, second, both = (
        fit_estimator(RECIPE, FEATURES, inputs, prices, seed, each).predict(inputs)
        for seed, each in ((7, alone), (8, alone), (7, replace(alone, seeds=2)))
    )
    np.testing.assert_allclose(both, np.sqrt(first * second), rtol=1e-9)
    assert not np.allclose(first, second)


def test_training_on_required_fields_alone_helps_where_nothing_else_is_known() -> None:
    inputs, prices = make_sales()
    inputs[:, 3] = np.round(prices / 5_000)
    errors = {}
    for copies in (0, 4):
        parameters = replace(PARAMETERS, partial_copies=0, required_copies=copies)
        estimator = fit_estimator(RECIPE, FEATURES, inputs[:300], prices[:300], 0, parameters)
        scant = estimator.predict(keep_required(FEATURES, inputs[300:]))
        errors[copies] = np.mean(np.abs(scant / prices[300:] - 1))
    assert errors[4] < errors[0]


def test_reduced_share_changes_nothing_but_the_prices_by_required_fields() -> None:
    inputs, prices = make_sales()
    recipe = replace(RECIPE, kernel=Kernel({"area": 500}, 0.0, 0.0, 1.0, 0.1))
    main, reduced = (
        fit_estimator(recipe, FEATURES, inputs[:300], prices[:300], 0, each)
        for each in (PARAMETERS, replace(PARAMETERS, reduced_share=0.5))
    )
    scant = keep_required(FEATURES, inputs)
    one_more = scant.copy()
    one_more[:, 1] = inputs[:, 1]
    for more in (inputs, one_more):
        assert (main.predict(more) == reduced.predict(more)).all()
    assert (main.predict(scant) != reduced.predict(scant)).all()


def test_reduced_share_without_a_kernel_is_refused() -> None:
    inputs, prices = make_sales(50)
    parameters = replace(PARAMETERS, reduced_share=0.5)
    with pytest.raises(TrainingError, match="needs a kernel, which ames doesn't have"):
        fit_estimator(replace(RECIPE, kernel=None), FEATURES, inputs, prices, 0, parameters)


@pytest.mark.parametrize(
    "parameters",
    [
        PARAMETERS,
        replace(PARAMETERS, rising=True, seeds=2, required_copies=2),
        replace(PARAMETERS, weights={"linear": 1.0}),
        replace(PARAMETERS, weights={"boosting": 0.5, "median_boosting": 0.5}, derived=False),
        replace(PARAMETERS, weights={"forest": 1.0}, rows_per_leaf=1, imputation="median_flagged"),
        replace(PARAMETERS, partial_copies=0, whole_copies=1, nearby=True),
    ],
)
def test_estimator_learns_prices_and_bears_unknown_fields(parameters: Parameters) -> None:
    inputs, prices = make_sales()
    estimator = fit_estimator(RECIPE, FEATURES, inputs[:300], prices[:300], 0, parameters)
    whole = estimator.predict(inputs[300:])
    scant = estimator.predict(keep_required(FEATURES, inputs[300:]))
    assert np.mean(np.abs(whole / prices[300:] - 1)) < 0.12
    assert np.all(np.isfinite(scant) & (scant > 0))
    if parameters.partial_copies:
        # Without the place the best guess is off by what the place matters, not by more.
        assert np.mean(np.abs(scant / prices[300:] - 1)) < 0.5


def test_no_price_is_beyond_half_the_cheapest_or_twice_the_dearest_sale() -> None:
    inputs, prices = make_sales(100)
    linear = replace(PARAMETERS, weights={"linear": 1.0}, linear_penalty=0.01)
    estimator = fit_estimator(RECIPE, FEATURES, inputs, prices, 0, linear)
    rows = inputs.copy()
    rows[:50, 0], rows[50:, 0] = 0.0, 5_000.0
    predicted = estimator.predict(rows)
    assert predicted.min() >= prices.min() / 2
    assert predicted.max() <= prices.max() * 2


def test_one_row_gets_the_same_price_alone_and_among_others() -> None:
    inputs, prices = make_sales(100)
    estimator = fit_estimator(RECIPE, FEATURES, inputs, prices, 0, PARAMETERS)
    together = estimator.predict(inputs)
    alone = [estimator.predict(inputs[[row]])[0] for row in range(20)]
    np.testing.assert_allclose(alone, together[:20], rtol=1e-12)


def test_same_seed_gives_the_same_bytes_and_another_seed_does_not() -> None:
    inputs, prices = make_sales(100)
    first, second = (
        pickle.dumps(fit_estimator(RECIPE, FEATURES, inputs, prices, 7, PARAMETERS))
        for _ in range(2)
    )
    assert first == second
    assert first != pickle.dumps(fit_estimator(RECIPE, FEATURES, inputs, prices, 8, PARAMETERS))


def test_training_leaves_its_inputs_as_they_were() -> None:
    inputs, prices = make_sales(100)
    before = inputs.copy()
    fit_estimator(RECIPE, FEATURES, inputs, prices, 0, PARAMETERS)
    assert np.array_equal(inputs, before)


def test_training_on_partial_copies_helps_where_little_is_known() -> None:
    inputs, prices = make_sales()
    # Age follows the price: whoever trusts it is lost without it.
    inputs[:, 3] = np.round(prices / 5_000)
    errors = {}
    for copies in (0, 4):
        parameters = replace(PARAMETERS, partial_copies=copies)
        estimator = fit_estimator(RECIPE, FEATURES, inputs[:300], prices[:300], 0, parameters)
        scant = estimator.predict(keep_required(FEATURES, inputs[300:]))
        errors[copies] = np.mean(np.abs(scant / prices[300:] - 1))
    assert errors[4] < errors[0]


def test_hidden_fields_are_optional_ones_and_their_share_varies_from_row_to_row() -> None:
    inputs, _ = make_sales(1_000)
    hidden = hide_fields(FEATURES, inputs, np.random.default_rng(0))
    unknown = np.array([[isinstance(v, float) and math.isnan(v) for v in row] for row in hidden])
    assert not unknown[:, 0].any()
    assert unknown[:, 1:].mean() == pytest.approx(0.5, abs=0.03)
    # One share for all rows would hide all three fields in an eighth of them, not in a quarter.
    assert unknown[:, 1:].all(axis=1).mean() == pytest.approx(0.25, abs=0.04)
    assert np.array_equal(hidden[~unknown], inputs[~unknown])


def test_only_required_fields_are_kept() -> None:
    inputs, _ = make_sales(5)
    kept = keep_required(FEATURES, inputs)
    assert np.array_equal(kept[:, 0], inputs[:, 0])
    assert all(math.isnan(value) for value in kept[:, 1:].ravel())


def test_larger_share_knows_all_that_a_smaller_one_does() -> None:
    inputs, _ = make_sales(500)
    known = [
        keep_some(FEATURES, inputs, share, np.random.default_rng(4)) == inputs
        for share in (0, 0.3, 0.8, 1)
    ]
    assert [each[:, 1:].mean() for each in known] == pytest.approx([0, 0.3, 0.8, 1], abs=0.04)
    assert all((less <= more).all() for less, more in pairwise(known))
