"""What larger inputs cost: more fields, more houses."""

from benchmarks.bench import MOST_CONNECTIONS, Bench
from benchmarks.houses import keep_fields, to_public
from benchmarks.measurement import Case, running
from benchmarks.probe import has_path
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
    public_houses = [to_public(house, number) for number, house in enumerate(bench.houses)]
    remarks = []
    with running([b, a], bench.plan.say):
        ways = [(batch_b, "inputs", bench.houses)]
        if has_path(a, public.path):
            ways.append((public, "data", public_houses))
        else:
            remarks.append(f"Service A has no {public.path} yet.")
        cases = []
        for subject, field, houses in ways:
            for size in (1, 10, 100, 1000):
                # Of large batches a few, which begin at different houses.
                starts = range(0, len(bench.houses), max(1, size // 8))
                bodies = [
                    {field: [houses[(start + i) % len(bench.houses)] for i in range(size)]}
                    for start in starts
                ]
                label = f"{subject.name}, {size:,} house{'s' * (size > 1)}"
                cases.append(Case(label, subject, bench.write(bodies), size))
        samples = bench.measure(cases, [1, 4])
    rows = summarise(cases, samples)
    return Result("batches", "Batches", rows, remarks, samples)
