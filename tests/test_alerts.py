"""The alert rules of `docs/alerts.yml`, checked by promtool and shown firing by Prometheus itself.

Both come with Debian's package `prometheus`, which `.ci/run` installs.
"""

import json
import os
import re
import shutil
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import requests

from tests.documentation.answer import find_text_differences
from tests.documentation.document import Block, read_document
from tests.running_lab import ROOT, WAIT_SECONDS, Service, find_free_port

OPERATIONS = ROOT / "docs/operations.md"
# So that what takes minutes takes seconds.
MINUTES = re.compile(r"(?<=[\[ ])(\d+)m(?=[\]\n])")

if not (shutil.which("promtool") and shutil.which("prometheus")):
    pytest.skip("alerts need Debian's package prometheus", allow_module_level=True)


def find_block(beginning: str, language: str) -> Block:
    """Find the one block of the operations handbook that begins so."""
    blocks = [each for each in read_document(OPERATIONS) if isinstance(each, Block)]
    (block,) = [
        each for each in blocks if each.language == language and each.text.startswith(beginning)
    ]
    return block


def test_rules_are_right_and_their_tests_pass_when_the_commands_of_the_handbook_are_run() -> None:
    block = find_block("promtool", "bash")
    done = subprocess.run(
        ["bash", "-ec", block.text], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert block.answer
    assert [*find_text_differences(block.answer.text, done.stdout)] == []


def test_every_rule_has_a_test_in_which_it_fires() -> None:
    named = set(re.findall(r"- alert: (\w+)", (ROOT / "docs/alerts.yml").read_text()))
    tests = (ROOT / "tests/alerts.yml").read_text()
    fired = set(re.findall(r"- alertname: (\w+)\n +eval_time: \w+\n +exp_alerts:\n", tests))
    assert named == fired
    explained = re.findall(r"^\| `(\w+)` \|", OPERATIONS.read_text(encoding="utf-8"), re.MULTILINE)
    assert named <= set(explained)


@contextmanager
def run_prometheus(folder: Path, target: str) -> Iterator[str]:
    """Run Prometheus as the handbook has it, each minute of the rules a second; give its URL."""
    config = find_block("scrape_configs", "yaml").text
    config = re.sub(r"targets: \[.*\]", f'targets: ["{target}"]', config)
    intervals = "global: {scrape_interval: 1s, evaluation_interval: 1s}\n"
    (folder / "prometheus.yml").write_text(intervals + config)
    rules, found = MINUTES.subn(r"\1s", (ROOT / "docs/alerts.yml").read_text())
    assert found >= 8
    (folder / "alerts.yml").write_text(rules)
    address = f"127.0.0.1:{find_free_port()}"
    with (
        (folder / "prometheus.log").open("wb") as output,
        subprocess.Popen(
            [
                "prometheus",
                f"--config.file={folder / 'prometheus.yml'}",
                f"--storage.tsdb.path={folder / 'data'}",
                f"--web.listen-address={address}",
            ],
            stdout=output,
            stderr=subprocess.STDOUT,
        ) as process,
    ):
        try:
            yield f"http://{address}"
        finally:
            process.kill()
            print((folder / "prometheus.log").read_text()[-5000:])  # noqa: T201


def read_firing(url: str) -> dict[str, dict[str, str]]:
    """Give the labels of each alert that fires, by its name."""
    try:
        answer = requests.get(f"{url}/api/v1/alerts", timeout=WAIT_SECONDS).json()
    except (requests.ConnectionError, json.JSONDecodeError):
        return {}  # it still starts
    alerts: list[dict[str, Any]] = answer["data"]["alerts"]
    return {
        each["labels"]["alertname"]: each["labels"] for each in alerts if each["state"] == "firing"
    }


@pytest.mark.skipif(not os.environ.get("CI"), reason="waits for alerts: runs only in CI")
def test_alerts_fire_in_prometheus_when_prices_are_low_and_inputs_are_wrong(
    tmp_path: Path,
) -> None:
    cheap = {"overall_qual": 1, "gr_liv_area": 400, "year_built": 1920, "neighborhood": "OldTown"}
    service = Service("service_b", tmp_path / "service_b.log", {})
    service.start()
    try:
        with run_prometheus(tmp_path, f"127.0.0.1:{service.port}") as url:
            batch = {"inputs": [cheap] * 3 + [{}]}
            deadline = time.monotonic() + 60
            while not {"MeanPriceOutOfBand", "ManyErrors"} <= (firing := read_firing(url)).keys():
                assert time.monotonic() < deadline, firing
                requests.post(f"{service.url}/predict/batch", json=batch, timeout=WAIT_SECONDS)
                time.sleep(0.2)
            assert firing["MeanPriceOutOfBand"]["model"] == "ames"
            assert firing["ManyErrors"]["kind"] == "invalid_input"
            assert "NoPredictions" not in firing
    finally:
        service.stop()
