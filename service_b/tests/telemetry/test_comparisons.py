from predictor.telemetry.metrics import Metrics


def test_pairs_of_versions_have_series_of_their_own() -> None:
    metrics = Metrics([])
    series = metrics.comparisons.find_series("tiny", "1", "2")
    assert metrics.comparisons.find_series("tiny", "1", "2").compared is series.compared
    series.dropped.inc(3)
    series.differences.observe(0.02)
    metrics.comparisons.find_series("tiny", "1", "3")

    text = metrics.write().decode()
    name = "predictor_challenger_inputs_total"
    for challenger, dropped in (("2", "3.0"), ("3", "0.0")):
        labels = f'challenger="{challenger}",model="tiny",outcome="dropped",version="1"'
        assert f"{name}{{{labels}}} {dropped}" in text
    labels = 'challenger="2",le="0.025",model="tiny",version="1"'
    assert f"predictor_challenger_difference_bucket{{{labels}}} 1.0" in text
