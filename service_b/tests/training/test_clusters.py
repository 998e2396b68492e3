from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest

from predictor.card import Feature
from predictor.estimators import Clusters
from training.california import RECIPE
from training.clusters import Points, choose, cluster, describe, place_rows
from training.estimator import fit_estimator
from training.parameters import Parameters

FEATURES = tuple(
    Feature(name=name, column=name, kind="number", meaning="Where.", minimum=-180, maximum=180)
    for name in ("longitude", "latitude")
)
WITH_CLUSTERS = Parameters(weights={"linear": 1.0}, derived=False, clusters=True)


def make_towns(count: int, rows: int = 210) -> Points:
    """Rows around so many places, far from each other."""
    random = np.random.default_rng(1)
    towns = np.array([(10 * (number % 3), 10 * (number // 3)) for number in range(count)])
    return towns[np.arange(rows) % count] + random.normal(0, 0.3, (rows, 2))


@pytest.mark.parametrize("towns", [5, 7])
def test_as_many_clusters_are_chosen_as_there_are_towns(towns: int) -> None:
    found = cluster(make_towns(towns), seed=0)
    assert [len(each.centres) for each in found] == [*range(5, 16)]
    assert len(choose(found).centres) == towns
    assert choose(found).silhouette > 0.9
    assert all(more.inertia < less.inertia for less, more in pairwise(found))
    assert [each["clusters"] for each in describe(found) if each["chosen"]] == [towns]


def test_same_seed_gives_the_same_clusters() -> None:
    points = make_towns(6)
    assert cluster(points, seed=3) == cluster(points, seed=3)


def test_row_gets_its_cluster_and_its_distances_and_none_when_its_place_is_unknown() -> None:
    clusters = Clusters(space=((1, 2.0),), centres=((0.0,), (10.0,)))
    rows = np.array([[7.0, 1.0], [7.0, 4.0], [7.0, np.nan]])
    appended = clusters.fit(rows).transform(rows)
    np.testing.assert_array_equal(
        appended[:, 2:], [[1, 0, 2, 8], [0, 1, 8, 2], [0, 0, np.nan, np.nan]]
    )
    assert clusters.added == 4


def test_estimator_makes_its_clusters_of_the_rows_it_trains_on() -> None:
    recipe = replace(RECIPE, place={"longitude": 0.8, "latitude": 1.0})
    inputs = make_towns(6).astype(object)
    prices = 100_000 + 1_000 * inputs[:, 0].astype(float)
    known = inputs[:150]
    estimator = fit_estimator(recipe, FEATURES, known, prices[:150], 0, WITH_CLUSTERS)
    (made,) = [step for _, step in estimator.regressor_.steps if isinstance(step, Clusters)]
    assert made.centres == choose(cluster(place_rows(recipe.place, FEATURES, known), 0)).centres
    assert made.centres != choose(cluster(place_rows(recipe.place, FEATURES, inputs), 0)).centres
    assert np.isfinite(estimator.predict(inputs)).all()
