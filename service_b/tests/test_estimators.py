import pickle

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.dummy import DummyRegressor
from sklearn.gaussian_process import GaussianProcessRegressor
from sklearn.gaussian_process.kernels import RBF

from predictor.estimators import (
    BoundedExp,
    Clusters,
    Derived,
    GaussianProcess,
    LinearDesign,
    NearbyTargets,
    ReducedBlend,
)

NAN = np.nan


def test_derived_columns_are_sums_products_and_ratios() -> None:
    matrix = np.array([[2.0, 4.0], [3.0, 0.0], [NAN, 5.0]])
    derived = Derived(sums=(((0, 1), (1, 0.5)),), products=((0, 1),), ratios=((0, 1),))
    expected = [[4, 8, 0.5], [3, 0, NAN], [NAN, NAN, NAN]]
    np.testing.assert_array_equal(derived.fit(matrix).transform(matrix)[:, 2:], expected)


def test_row_belongs_to_the_nearest_cluster_and_its_distance_to_each_is_appended() -> None:
    matrix = np.array([[0.0, 9.0, 0.0], [3.0, 9.0, 2.0], [10.0, 9.0, 0.0]])
    clusters = Clusters(space=((0, 1.0), (2, 2.0)), centres=((0.0, 0.0), (10.0, 0.0)))
    appended = clusters.fit(matrix).transform(matrix)[:, 3:]
    assert appended.shape == (3, clusters.added)
    expected = [[1, 0, 0, 10], [1, 0, 5, np.hypot(7, 4)], [0, 1, 10, 0]]
    np.testing.assert_allclose(appended, expected)


def test_neighbours_are_the_nearest_and_never_the_row_itself_in_training() -> None:
    places = np.array([[0.0], [1.0], [3.0], [7.0]])
    targets = np.array([10.0, 20.0, 40.0, 80.0])
    nearby = NearbyTargets(spaces=(((0, 1.0),),), counts=(1, 2), softening=1e-9)
    trained = nearby.fit_transform(places, targets)
    # Of 0 the nearest is 1, then 3; the mean weighs by the inverse of the distance.
    assert trained[0, 1:] == pytest.approx([20, (20 / 1 + 40 / 3) / (1 + 1 / 3), 1, 3])
    assert trained[3, 1] == pytest.approx(40)
    # Afterwards a row at the same place is a neighbour like any other.
    assert nearby.transform(np.array([[3.0], [6.0]]))[:, 1] == pytest.approx([40, 80])


def test_rows_at_one_place_are_neighbours_of_each_other() -> None:
    places = np.zeros((6, 1))
    nearby = NearbyTargets(spaces=(((0, 1.0),),), counts=(2,), softening=0.01)
    with_neighbours = nearby.fit_transform(places, np.arange(6.0))
    assert with_neighbours.shape == (6, 4)
    assert np.isfinite(with_neighbours).all()


def test_linear_design_says_what_is_unknown() -> None:
    matrix = np.array([[1.0, 0.0], [3.0, 1.0], [NAN, NAN]])
    design = LinearDesign(sizes=(None, 2), gated=False).fit_transform(matrix)
    #  number, its square, two categories, which of the two fields is unknown
    np.testing.assert_allclose(
        design, [[-1, 0, 1, 0, 0, 0], [1, 0, 0, 1, 0, 0], [0, 0, 0, 0, 1, 1]], atol=1e-12
    )


def test_gated_design_repeats_itself_by_the_share_of_unknown_fields() -> None:
    matrix = np.array([[1.0, 0.0], [3.0, 1.0], [2.0, NAN]])
    plain = LinearDesign(sizes=(None, 2), gated=False).fit_transform(matrix)
    gated = LinearDesign(sizes=(None, 2), gated=True).fit_transform(matrix)
    half = plain.shape[1]
    np.testing.assert_array_equal(gated[:, :half], plain)
    np.testing.assert_array_equal(gated[:2, half:], 0)
    np.testing.assert_array_equal(gated[2, half:-2], plain[2] / 2)
    np.testing.assert_array_equal(gated[2, -2:], [0.5, 0.25])


def test_linear_design_keeps_numbers_within_what_was_seen() -> None:
    design = LinearDesign(sizes=(None,), gated=False).fit(np.linspace(0, 1000, 500)[:, None])
    far, edge = design.transform(np.array([[1e9], [1000.0]]))
    np.testing.assert_array_equal(far, edge)


def test_exponential_is_bounded() -> None:
    bounded = BoundedExp(10.0, 100.0)
    assert bounded(np.array([-50.0, np.log(20.0), 50.0])) == pytest.approx([10, 20, 100])


def test_parts_can_be_cloned_and_pickled() -> None:
    nearby = NearbyTargets(spaces=(((0, 1.0),),), counts=(1,), softening=0.1)
    fitted = clone(nearby).fit(np.arange(5.0)[:, None], np.arange(5.0))
    again = pickle.loads(pickle.dumps(fitted))  # noqa: S301
    rows = np.array([[1.2], [3.9]])
    np.testing.assert_array_equal(again.transform(rows), fitted.transform(rows))


def test_process_of_numbers_alone_is_that_of_scikit_learn() -> None:
    random = np.random.default_rng(0)
    rows, targets = random.uniform(size=(150, 2)), random.uniform(size=150)
    ours = GaussianProcess(((0, 0.5), (1, 2.0)), place=0, local=0, shrink=1, noise=0.1)
    found = ours.fit(rows, targets).predict(rows)
    # Without a category all rows are of one place, which here says nothing more.
    theirs = GaussianProcessRegressor(RBF([0.5, 2.0]), alpha=0.1, optimizer=None)
    inside = np.clip(rows, *ours.bounds_)
    expected = theirs.fit(inside, targets - targets.mean()).predict(inside) + targets.mean()
    np.testing.assert_allclose(found, expected, rtol=1e-9)


def test_number_beyond_those_seen_counts_as_the_last_of_them() -> None:
    rows = np.column_stack([np.linspace(0, 10, 50), np.zeros(50)])
    process = GaussianProcess(((0, 2.0),), place=0.1, local=0.1, shrink=0.5, noise=0.1)
    process.fit(rows, rows[:, 0])
    ends, beyond, far = process.predict(np.array([[10.0, 0.0], [12.0, 0.0], [1e9, 0.0]]))
    assert ends == beyond == far > 9


def test_rows_of_the_same_category_say_more_and_near_ones_most() -> None:
    rows = np.array([[0.0, 1.0], [0.0, 2.0], [9.0, 1.0], [9.0, 2.0]])
    targets = np.array([1.0, 3.0, 1.0, 3.0])

    def predict(place: float, local: float, number: float) -> float:
        process = GaussianProcess(((0, 10.0),), place, local, shrink=0.1, noise=0.1)
        return float(process.fit(rows, targets).predict(np.array([[number, 2.0]]))[0])

    # By numbers alone, one row of each category is as near as the other.
    assert predict(0, 0, 0.0) == pytest.approx(2)
    assert 2 < predict(0.2, 0, 0.0) < 3
    assert 2 < predict(0, 0.2, 4.0) < predict(0, 0.2, 0.1)


def test_process_learns_from_the_last_of_many_rows(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("predictor.estimators._MOST_PROCESS_ROWS", 2)
    process = GaussianProcess(((0, 1.0),), place=0, local=0, shrink=1, noise=1e-9)
    process.fit(np.array([[1.0], [1.0], [9.0]]), np.array([50.0, 3.0, 4.0]))
    assert process.predict(np.array([[1.0], [9.0]])) == pytest.approx([3, 4])


def test_reduced_estimator_counts_only_where_nothing_but_its_columns_is_known() -> None:
    matrix = np.array([[1.0, 7.0, 5.0], [1.0, NAN, 5.0], [1.0, NAN, NAN], [NAN, NAN, NAN]])
    copies = np.concatenate([matrix[:2], matrix[2:]])
    main, reduced = (DummyRegressor(strategy="constant", constant=each) for each in (10.0, 20.0))
    blend = ReducedBlend(main, reduced, known=(True, False), share=0.7, copies=2)
    # The third column was appended: it isn't an input, and says nothing of what is known.
    predicted = blend.fit(copies, np.zeros(4)).predict(matrix)
    assert predicted == pytest.approx([10, 17, 17, 10])


def test_reduced_estimator_learns_from_its_own_columns_of_the_first_copy() -> None:
    matrix = np.array([[1.0, 5.0], [2.0, 6.0], [1.0, NAN], [2.0, NAN]])
    process = GaussianProcess(((0, 1.0),), place=0, local=0, shrink=1, noise=1e-9)
    blend = ReducedBlend(DummyRegressor(), process, known=(True, False), share=1.0, copies=2)
    blend.fit(matrix, np.array([3.0, 4.0, 30.0, 40.0]))
    np.testing.assert_allclose(blend.reduced_.rows_, [[1, 2]], atol=0.01)
    assert blend.predict(matrix[2:]) == pytest.approx([3, 4])
