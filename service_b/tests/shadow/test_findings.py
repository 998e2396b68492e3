import pytest

from predictor.shadow.difference import Difference
from predictor.shadow.findings import Findings, Summary
from predictor.telemetry.metrics import Metrics


@pytest.fixture
def findings() -> Findings:
    pair = ("1", "2")
    return Findings(pair, Metrics([]).comparisons.find_series("tiny", *pair))


def make_difference(size: float, within: bool | None = True) -> Difference:
    return Difference(size, f"request-{size}", 100, 100 * (1 + size), within)


def test_summary_begins_empty(findings: Findings) -> None:
    summary = findings.summarise()
    assert summary.since is not None
    assert summary == Summary(since=summary.since, largest=[])


def test_differences_are_summed_up(findings: Findings) -> None:
    for hundredth in range(101):
        findings.add(make_difference(hundredth / 100, within=hundredth < 10))
    findings.add_failed(2)
    findings.add_dropped(3)
    summary = findings.summarise()
    assert (summary.compared, summary.failed, summary.dropped) == (101, 2, 3)
    assert summary.within_interval == pytest.approx(10 / 101)
    assert summary.mean_difference == pytest.approx(0.5)
    assert summary.median_difference == pytest.approx(0.5)
    assert summary.p90_difference == pytest.approx(0.9)
    assert [each.size for each in summary.largest] == [1, 0.99, 0.98, 0.97, 0.96]


def test_share_within_intervals_is_unknown_when_none_was_answered(findings: Findings) -> None:
    findings.add(make_difference(0.1, within=None))
    assert findings.summarise().within_interval is None


def test_shares_are_those_of_the_latest_and_counts_of_all(findings: Findings) -> None:
    for size in [0.5] * 5_000 + [0.1] * 10_000:
        findings.add(make_difference(size))
    summary = findings.summarise()
    assert summary.compared == 15_000
    assert summary.p90_difference == pytest.approx(0.1)
    assert summary.largest[0].size == 0.5
