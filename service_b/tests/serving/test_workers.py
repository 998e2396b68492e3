"""Two predictors behind one port, as processes of their own."""

import json
import re
import signal
from collections.abc import Callable
from http.client import HTTPConnection
from pathlib import Path
from typing import Any

import pytest

from predictor.settings import Settings
from tests.service_process import MAIN, find_free_port, is_listening, request, start
from tests.serving.running_server import wait_until


def read_metrics(port: int) -> dict[str, float]:
    caller = HTTPConnection("127.0.0.1", port, timeout=300)
    caller.request("GET", "/metrics")
    text = caller.getresponse().read().decode()
    caller.close()
    series = re.findall(r"^([^# ][^ ]*) (\S+)$", text, re.MULTILINE)
    return {name: float(value) for name, value in series}


def test_workers_add_up_what_they_count_and_end_when_their_supervisor_is_killed(
    write_version: Callable[..., Path], settings: Settings, house: dict[str, Any]
) -> None:
    write_version()
    port = find_free_port()
    body = json.dumps({"input": house}).encode()
    environment = {"WORKERS": "2", "PREDICTOR_MODELS": str(settings.models)}
    with start(port, *MAIN, **environment) as service:
        answers = [request(port, "POST", "/predict", body) for _ in range(6)]
        series = read_metrics(port)
        service.signal(signal.SIGKILL)
        wait_until(lambda: not is_listening(port))

    prices = [content["prediction"]["price"] for _, content in answers]
    labels = '{model="tiny",version="1"}'
    assert series[f"predictor_predictions_total{labels}"] == 6
    assert series[f"predictor_price_count{labels}"] == 6
    assert series[f"predictor_price_sum{labels}"] == pytest.approx(sum(prices), abs=1)
    for name in ("smallest", "largest"):
        assert series[f"predictor_price_{name}{labels}"] == pytest.approx(prices[0], abs=0.1)
    assert series['predictor_swaps_total{model="tiny"}'] == 1
