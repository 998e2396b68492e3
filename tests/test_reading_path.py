"""The reading path: the modules that the README has a learner read, in this order."""

import re

from tests.running_lab import ROOT

PATH = [
    "service_a/gateway/web/routes/process.py",
    "service_a/gateway/intake/intake.py",
    "service_a/gateway/input_log/writer.py",
    "service_a/gateway/forwarding/client.py",
    "service_b/predictor/web/routes/predict.py",
    "service_b/predictor/inference/card_model.py",
]
MAX_LINES = 900


def test_readme_lists_the_reading_path_in_order() -> None:
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    section = readme.partition("**The reading path.**")[2].partition("\n## ")[0]
    assert re.findall(r"^\d\. `(\S+)`: ", section, re.MULTILINE) == PATH


def test_reading_path_can_be_read_in_an_evening() -> None:
    lines = {path: (ROOT / path).read_text(encoding="utf-8").count("\n") for path in PATH}
    assert sum(lines.values()) < MAX_LINES, lines
