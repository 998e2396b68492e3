"""What larger inputs cost: more fields, more houses."""

from collections.abc import Iterator, Sequence

from benchmarks.bench import MOST_CONNECTIONS, Bench
from benchmarks.houses import House, keep_fields, to_public
from benchmarks.measurement import Case, running
from benchmarks.report import Result
from benchmarks.subject import Subject, make_predict, make_process
from benchmarks.summary import summarise


def measure_fields(bench: Bench) -> Result:
    """Cost by the number of fields: 4, 20, all."""
    b = bench.lineup.make_service_b()
    a = bench.lineup.make_service_a(b)
    cases = []
    for subject in (make_process(a, b), make_predict(b)):
        for count in (4, 20, len(bench.houses[0])):
            houses = [keep_fields(bench.lineup.card, house, count) for house in bench.houses]
            cases.append(bench.make_case(subject, f"{subject.name}, {count} fields", houses))
    with running([b, a], bench.plan.say):
        samples = bench.measure(cases, [1, MOST_CONNECTIONS])
    return Result("fields", "Number of fields", summarise(cases, samples), samples=samples)


def measure_batches(bench: Bench) -> Result:
    """Batches of 1 to 1,000 houses, through Service B and the public contract."""
    b = bench.lineup.make_service_b()
    a = bench.lineup.make_service_a(b)
    batch_b = Subject("Service B /predict/batch", (b,), "/predict/batch", lambda _: None)
    public = Subject(
        "Service A public batch", (a, b), "/api/v1/price/predict/batch", lambda _: None
    )
    every = len(bench.houses[0])
    cases = []
    for size, fields in (
        (1, every),
        (10, every),
        (100, every),
        (1000, every),
        (1000, 20),
        (1000, 4),
    ):
        houses = [keep_fields(bench.lineup.card, house, fields) for house in bench.houses]
        public_houses = [to_public(house, number) for number, house in enumerate(houses)]
        for subject, name, each in ((batch_b, "inputs", houses), (public, "data", public_houses)):
            label = f"{subject.name}, {size:,} house{'s' * (size > 1)} of {fields} fields"
            bodies = [{name: batch} for batch in _cut(each, size)]
            cases.append(Case(label, subject, bench.write(bodies), size))
    with running([b, a], bench.plan.say):
        samples = bench.measure(cases, [1, 4])
    return Result("batches", "Batches", summarise(cases, samples), samples=samples)


def _cut(houses: Sequence[House], size: int) -> Iterator[list[House]]:
    """Give batches that begin at different houses; of large ones a few."""
    for start in range(0, len(houses), max(1, size // 8)):
        yield [houses[(start + i) % len(houses)] for i in range(size)]
