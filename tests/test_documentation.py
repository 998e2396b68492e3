"""What README.md shows is what happens: its commands are run and their answers compared.

A block of shell commands that begins with `curl` is run against both services; a block of JSON
right after it is the answer it must get. A comment `<!-- test: stop service_b -->` or
`<!-- test: start service_b -->` says in what state the lab is from there on.

After a change that alters answers, `UPDATE_DOCUMENTATION=1` writes the new ones into the file.
"""

import json
import os
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from tests.lab import ROOT, Lab, Service

README = ROOT / "README.md"

STEP = re.compile(
    r"<!-- test: (?P<action>stop|start) service_b -->"
    r"|^```bash\n(?P<command>.*?)^```\n(?:\n```json\n(?P<answer>.*?)^```\n)?",
    re.MULTILINE | re.DOTALL,
)

# Beginnings of the commands that README shows and other tests run.
RUN_ELSEWHERE = (
    "./run_services.sh",  # tests/test_scripts.py
    "./test_services.sh",  # .ci/run
    "docker compose ",  # tests/test_compose.py
    "cd service_b\n",  # test_a_service_can_be_set_up_by_hand
)


def run_curl(command: str, lab: Lab) -> Any:
    """Run a curl command as shown, at the lab's own ports, and return the JSON it prints."""
    assert command.startswith("curl "), f"no test runs this command: {command}"
    command = command.replace("http://localhost:8000", lab.a.url)
    command = command.replace("http://localhost:8001", lab.b.url)
    output = subprocess.run(
        ["bash", "-c", command.replace("curl ", "curl -sS --max-time 20 ", 1)],
        check=True,
        capture_output=True,
        text=True,
    ).stdout
    if " -i " in command:
        output = output.replace("\r\n", "\n").split("\n\n", 1)[1]
    return json.loads(output)


def show(value: Any, indent: str = "") -> str:
    """Write JSON as the documentation shows it: what is short stands on one line."""
    line = json.dumps(value)
    if len(indent) + len(line) <= 100 or not isinstance(value, dict | list):
        return line
    deeper = indent + "  "
    if isinstance(value, dict):
        parts = [f"{json.dumps(key)}: {show(part, deeper)}" for key, part in value.items()]
        first, last = "{", "}"
    else:
        parts = [show(part, deeper) for part in value]
        first, last = "[", "]"
    separator = f",\n{deeper}"
    return f"{first}\n{deeper}{separator.join(parts)}\n{indent}{last}"


def write_quality(text: str) -> str:
    """Put the figures of the served model's card into the table that shows them."""
    card = json.loads((ROOT / "service_b/models/ames/1/card.json").read_text())["metrics"]
    rows = [
        f"| {title} | {figures['r2']:.3f} | {figures['mape_percent']:.1f}%"
        f" | {figures['within_10_percent_share']:.0%} |"
        for title, figures in (
            ("this model, all fields", card),
            ("this model, only the four required fields", card["required_fields_only"]),
            ("a plain random forest, all fields", card["random_forest_baseline"]),
        )
    ]
    table = re.compile(r"(?<=\|---\|---:\|---:\|---:\|\n)(\|.*\n)+")
    assert table.search(text)
    return table.sub("\n".join(rows) + "\n", text)


def test_every_command_in_the_readme_gets_the_answer_shown(lab: Lab) -> None:
    text = README.read_text()
    answers_shown = 0

    def follow(step: re.Match[str]) -> str:
        nonlocal answers_shown
        if step["action"] == "stop":
            assert lab.b.stop() == 0
        elif step["action"] == "start":
            lab.b.start()
        elif not step["command"].startswith(RUN_ELSEWHERE):
            answer = run_curl(step["command"].strip(), lab)
            if step["answer"] is not None:
                answers_shown += 1
                return step[0].replace(step["answer"], f"{show(answer)}\n")
        return step[0]

    actual = write_quality(STEP.sub(follow, text))
    if os.environ.get("UPDATE_DOCUMENTATION"):
        README.write_text(actual)
    assert actual == text
    assert answers_shown >= 10


@pytest.mark.skipif("CI" not in os.environ, reason="installs packages anew: runs only in CI")
def test_a_service_can_be_set_up_by_hand(tmp_path: Path) -> None:
    match = re.search(
        r"^```bash\n(cd service_b\npython3.*?)^```", README.read_text(), re.MULTILINE | re.DOTALL
    )
    assert match
    *setting_up, running = match[1].splitlines()
    shutil.copytree(
        ROOT / "service_b", tmp_path / "service_b", ignore=shutil.ignore_patterns(".*", "tests")
    )
    subprocess.run(["bash", "-ec", "\n".join(setting_up)], cwd=tmp_path, check=True)
    assert running == ".venv/bin/python main.py"  # which is how Service starts it
    service = Service(str(tmp_path / "service_b"), tmp_path / "output.log", {})
    service.start()
    assert service.stop() == 0


def test_the_first_command_stands_within_twenty_lines() -> None:
    assert "./run_services.sh" in README.read_text().splitlines()[:20]


@pytest.mark.parametrize("service", ["service_a", "service_b"])
def test_the_settings_table_names_every_setting_with_its_default(service: str) -> None:
    package = {"service_a": "gateway", "service_b": "predictor"}[service]
    listing = subprocess.run(
        [
            ROOT / service / ".venv/bin/python",
            "-c",
            f"from {package}.settings import *\n"
            "import json\n"
            "prefix = Settings.model_config['env_prefix']\n"
            "defaults = {field.validation_alias or prefix + name.upper(): field.default"
            " for name, field in Settings.model_fields.items()}\n"
            "print(json.dumps({name: default if isinstance(default, str)"
            " else json.dumps(default, default=str) for name, default in defaults.items()}))",
        ],
        cwd=ROOT / service,
        check=True,
        capture_output=True,
        text=True,
    ).stdout
    rows = re.findall(
        r"^\| `([A-Z_]+)` \| (A|B|both) \| (.*?) \|", README.read_text(), re.MULTILINE
    )
    letter = service[-1].upper()
    documented = {name: default for name, where, default in rows if where in (letter, "both")}
    settings: dict[str, str] = json.loads(listing)
    assert documented.keys() == settings.keys()
    for name, default in settings.items():
        if default == "null":
            assert documented[name] == "unset"
        elif str(ROOT) not in default:  # a path of this machine
            assert f"`{default.removesuffix('.0')}`" in documented[name], name


def test_every_relative_link_leads_somewhere() -> None:
    text = README.read_text()
    anchors = {
        re.sub(r"[^a-z0-9 -]", "", title.lower()).replace(" ", "-")
        for title in re.findall(r"^#+ (.*)$", text, re.MULTILINE)
    }
    for target in re.findall(r"\]\(([^)]+)\)", text):
        if target.startswith("#"):
            assert target[1:] in anchors, target
        elif not target.startswith("http"):
            assert (ROOT / target).exists(), target
