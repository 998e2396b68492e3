"""What the parts of the benchmark share."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks.houses import House, make_houses, write_bodies
from benchmarks.lineup import Lineup
from benchmarks.measurement import Case, Sample, Say, measure
from benchmarks.subject import Subject

_HOUSES = 500


@dataclass(frozen=True)
class Plan:
    """How long and how thoroughly to measure; where servers may write; local copies of data."""

    rounds: int
    seconds: float
    quick: bool
    base: str
    scratch: Path
    say: Say
    data: Sequence[Path] = ()


class Bench:
    """The lineup, the houses, and files of bodies."""

    def __init__(self, plan: Plan) -> None:
        self.plan = plan
        self.lineup = Lineup(plan.scratch)
        self.houses = make_houses(self.lineup.card, _HOUSES)
        self._files = 0

    def make_case(
        self,
        subject: Subject,
        label: str | None = None,
        *,
        houses: Sequence[House] | None = None,
        batch: int | None = None,
    ) -> Case:
        """Make a case of one house per request, or of so many."""
        houses = houses or self.houses
        inputs = _cut(houses, batch) if batch else houses
        self._files += 1
        file = self.plan.scratch / f"bodies-{self._files}"
        write_bodies(file, [subject.write_body(each) for each in inputs])
        return Case(label or subject.name, subject, file, batch)

    def measure(self, cases: Sequence[Case]) -> list[Sample]:
        """Measure as the plan says."""
        plan = self.plan
        return measure(cases, rounds=plan.rounds, seconds=plan.seconds, say=plan.say)


def _cut(houses: Sequence[House], size: int) -> Iterator[list[House]]:
    """Give batches that begin at different houses; of large ones a few."""
    for start in range(0, len(houses), max(1, size // 8)):
        yield [houses[(start + i) % len(houses)] for i in range(size)]
