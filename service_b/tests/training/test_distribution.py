import math

import numpy as np
import pandas as pd

from training.distribution import count_parts, describe_distribution


def test_few_values_are_counted_one_by_one() -> None:
    found = describe_distribution(pd.Series([3.0, 1.0, 1.0, 2.0, math.nan]))
    assert found is not None
    assert found.edges == (1, 2)
    assert found.shares == (0.5, 0.25, 0.25)
    assert found.unknown == 0.2
    assert found.quantiles is not None
    assert (found.quantiles["0"], found.quantiles["0.5"], found.quantiles["1"]) == (1, 1, 3)


def test_many_values_are_parted_where_they_are_equally_many() -> None:
    found = describe_distribution(pd.Series(np.arange(1000.0)))
    assert found is not None
    assert found.edges == tuple(range(49, 999, 50))
    assert set(found.shares) == {0.05}


def test_value_that_most_rows_have_is_a_part_of_its_own() -> None:
    found = describe_distribution(pd.Series(np.concatenate([np.zeros(900), np.arange(1.0, 101)])))
    assert found is not None
    assert found.edges is not None
    assert (found.edges[0], found.shares[0]) == (0, 0.9)
    assert sum(found.shares) == 1


def test_categories_have_their_shares_in_the_order_of_the_card() -> None:
    values = pd.Series(["b", "b", math.nan, "a"], dtype=object)
    found = describe_distribution(values, ("a", "b", "c"))
    assert found is not None
    assert found.shares == (0.333333, 0.666667, 0)
    assert found.unknown == 0.25
    assert found.edges is None


def test_column_of_which_nothing_is_known_has_no_distribution() -> None:
    assert describe_distribution(pd.Series([math.nan])) is None


def test_number_at_an_edge_counts_below_it() -> None:
    assert count_parts(np.array([1.0, 1.5, 2.0, 9.0]), (1.0, 2.0)).tolist() == [1, 2, 1]
