"""What the parts of the benchmark share."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks.houses import House, make_houses, write_bodies
from benchmarks.lineup import Lineup
from benchmarks.measurement import Case, Sample, Say, measure
from benchmarks.subject import Subject

_HOUSES = 500
MOST_CONNECTIONS = 64


@dataclass(frozen=True)
class Plan:
    """How long and how thoroughly to measure; where servers may write."""

    rounds: int
    seconds: float
    quick: bool
    scratch: Path
    say: Say


class Bench:
    """The lineup, the houses, and files of bodies."""

    def __init__(self, plan: Plan) -> None:
        self.plan = plan
        self.lineup = Lineup(plan.scratch)
        self.houses = make_houses(self.lineup.card, _HOUSES)
        self._files = 0

    def make_case(
        self, subject: Subject, label: str | None = None, houses: Sequence[House] | None = None
    ) -> Case:
        """Make a case of one house per request."""
        bodies = [subject.write_body(house) for house in houses or self.houses]
        return Case(label or subject.name, subject, self.write(bodies))

    def write(self, bodies: Sequence[object]) -> Path:
        """Write bodies to a file of their own."""
        self._files += 1
        return write_bodies(self.plan.scratch / f"bodies-{self._files}", bodies)

    def measure(self, cases: Sequence[Case], connection_counts: Sequence[int]) -> list[Sample]:
        """Measure as the plan says."""
        return measure(
            cases,
            connection_counts,
            rounds=self.plan.rounds,
            seconds=self.plan.seconds,
            say=self.plan.say,
        )
