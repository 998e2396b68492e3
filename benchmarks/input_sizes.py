"""What larger inputs cost: more fields, more houses."""

from benchmarks.bench import Bench
from benchmarks.houses import keep_fields
from benchmarks.measurement import MOST_CONNECTIONS, running, spread
from benchmarks.report import Result
from benchmarks.subject import make_predict, make_predict_batch, make_process, make_public_batch
from benchmarks.summary import summarise


def measure_fields(bench: Bench) -> Result:
    """Cost by the number of fields: 4, 20, all."""
    a, b = bench.lineup.make_services()
    cases = []
    for subject in (make_process(a, b), make_predict(b)):
        for count in (4, 20, len(bench.houses[0])):
            houses = [keep_fields(bench.lineup.card, house, count) for house in bench.houses]
            label = f"{subject.name}, {count} fields"
            cases.append(bench.make_case(subject, label, houses=houses))
    cases = spread(cases, (1, MOST_CONNECTIONS))
    with running([b, a], bench.plan.say):
        samples = bench.measure(cases)
    return Result("fields", "Number of fields", summarise(cases, samples), samples=samples)


def measure_batches(bench: Bench) -> Result:
    """Batches of 1 to 1,000 houses, through Service B and the public contract."""
    a, b = bench.lineup.make_services()
    every = len(bench.houses[0])
    sizes = [(1, every), (10, every), (100, every), (1000, every), (1000, 20), (1000, 4)]
    cases = []
    for size, fields in sizes:
        houses = [keep_fields(bench.lineup.card, house, fields) for house in bench.houses]
        for subject in (make_predict_batch(b), make_public_batch(a, b)):
            label = f"{subject.name}, {size:,} house{'s' * (size > 1)} of {fields} fields"
            cases.append(bench.make_case(subject, label, houses=houses, batch=size))
    cases = spread(cases, (1, 4))
    with running([b, a], bench.plan.say):
        samples = bench.measure(cases)
    return Result("batches", "Batches", summarise(cases, samples), samples=samples)
