import pytest

from predictor.shadow.calls_under_way import CallsUnderWay


def test_it_is_quiet_when_no_call_is_under_way_nor_was_a_moment_ago(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    now = 100.0
    monkeypatch.setattr("time.perf_counter", lambda: now)
    calls = CallsUnderWay()
    assert calls.is_quiet
    calls.begin()
    calls.begin()
    now += 1
    assert not calls.is_quiet
    calls.end()
    now += 1
    assert not calls.is_quiet
    calls.end()
    assert not calls.is_quiet
    now += 0.01
    assert calls.is_quiet
