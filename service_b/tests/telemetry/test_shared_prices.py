import random

from prometheus_client import CollectorRegistry

from predictor.telemetry.prices import Prices
from predictor.telemetry.shared_prices import SharedPrices


def read(registry: CollectorRegistry) -> dict[tuple[str, ...], float]:
    return {
        (each.name, *each.labels.values()): each.value
        for metric in registry.collect()
        for each in metric.samples
        if not each.name.endswith("_created")
    }


def test_shared_prices_are_counted_as_those_of_one_process_are() -> None:
    registry, shared_registry = CollectorRegistry(), CollectorRegistry()
    prices, shared = Prices(), SharedPrices(shared_registry)
    registry.register(prices)
    chance = random.Random(7)
    for _ in range(20):
        some = [float(round(chance.lognormvariate(12, 1))) for _ in range(chance.randint(1, 50))]
        some.append(200_000.0)  # an edge
        for each in (prices, shared):
            each.add("ames", "1", some)

    assert read(shared_registry) == read(registry)
