import random
from itertools import pairwise

import pytest
from prometheus_client import CollectorRegistry
from prometheus_client.samples import Sample

from predictor.telemetry.prices import Prices


def read(prices: Prices) -> dict[str, float]:
    """Give the value of each series; those of the histogram's buckets by their upper edge."""
    registry = CollectorRegistry()
    registry.register(prices)
    samples: list[Sample] = [each for metric in registry.collect() for each in metric.samples]
    return {
        " ".join([each.name.removeprefix("predictor_price_"), *each.labels.values()]): each.value
        for each in samples
    }


def test_prices_are_counted_by_model_and_version() -> None:
    prices = Prices()
    prices.add("ames", "1", [100_000.0, 300_000.0])
    prices.add("ames", "2", [1.0])
    prices.add("california", "1", [7e6])
    prices.add("ames", "1", [80_000.0])
    series = read(prices)
    assert {name: series[f"{name} ames 1"] for name in ("count", "sum", "smallest", "largest")} == {
        "count": 3,
        "sum": 480_000,
        "smallest": 80_000,
        "largest": 300_000,
    }
    assert [series[f"bucket ames 1 {edge}"] for edge in ("75000.0", "100000.0", "250000.0")] == [
        0,
        2,  # an edge belongs to what is below it
        2,
    ]
    assert series["bucket california 1 5e+06"] == 0
    assert series["bucket california 1 +Inf"] == series["count california 1"] == 1
    assert series["sum ames 2"] == 1


@pytest.mark.parametrize("calls", [1, 3, 10_000])
def test_figures_are_those_of_all_prices_however_many_calls_bring_them(calls: int) -> None:
    drawn = [random.Random(0).lognormvariate(12, 1) for _ in range(10_000)]
    prices = Prices()
    for call in range(calls):
        prices.add("ames", "1", drawn[call::calls])
    for _ in range(2):  # reading changes nothing
        series = read(prices)
        assert series["count ames 1"] == 10_000
        assert series["sum ames 1"] == pytest.approx(sum(drawn))
        assert (series["smallest ames 1"], series["largest ames 1"]) == (min(drawn), max(drawn))
    buckets = [value for name, value in series.items() if name.startswith("bucket")]
    assert all(less <= more for less, more in pairwise(buckets))


def test_no_series_is_shown_before_the_first_price() -> None:
    assert read(Prices()) == {}
