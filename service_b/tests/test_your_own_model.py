"""docs/your-own-model.md, followed word for word."""

import json
import re
import shlex
import shutil
import subprocess
import sys
from contextlib import ExitStack
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from predictor.settings import SERVICE_FOLDER
from tests.service_process import (
    DEADLINE_SECONDS,
    find_free_port,
    make_environment,
    request,
    start_in,
)

PAGE = SERVICE_FOLDER.parent / "docs" / "your-own-model.md"
EXAMPLE = {"sepal_length": 5.1, "sepal_width": 3.5, "petal_length": 1.4, "petal_width": 0.2}
# A comment says what to do with the block after it; a second block shows the output.
STEP = re.compile(
    r"<!-- (?P<verb>\w+)(?:: (?P<file>\S+))? -->\n+```\w+\n(?P<text>.*?)```\n"
    r"(?:\n```(?:json|text)\n(?P<output>.*?)```)?",
    re.DOTALL,
)


class Step(NamedTuple):
    verb: str
    file: str | None
    text: str
    output: str | None


def read_steps() -> list[Step]:
    return [Step(*found.groups()) for found in STEP.finditer(PAGE.read_text(encoding="utf-8"))]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A copy of service_b as a clone has it, with the packages of this venv."""
    for name in ("main.py", "models.yaml"):
        shutil.copy(SERVICE_FOLDER / name, tmp_path)
    for name in ("predictor", "models"):
        shutil.copytree(SERVICE_FOLDER / name, tmp_path / name)
    (tmp_path / ".venv").symlink_to(sys.prefix)
    return tmp_path


def test_page_leads_to_a_typed_api_when_it_is_followed_word_for_word(folder: Path) -> None:
    port = find_free_port()
    states = []
    with ExitStack() as running:
        for step in read_steps():
            if step.file is not None:
                with (folder / step.file).open("a" if step.verb == "append" else "x") as file:
                    file.write(step.text)
            elif step.verb == "start":
                running.enter_context(start_in(folder, port, *shlex.split(step.text)))
            else:
                output = run(step.text.replace("localhost:8001", f"127.0.0.1:{port}"), folder)
                if step.output is not None:
                    assert normalise(output) == normalise(step.output)
                elif "/reload" in step.text:
                    states.append(json.loads(output)["models"][-1])
        _, contract = request(port, "GET", "/openapi.json")
        _, prediction = request(
            port, "POST", "/models/iris/predict", json.dumps({"input": EXAMPLE}).encode()
        )
        _, invoked = request(
            port, "POST", "/invocations?model=iris", json.dumps({"instances": [EXAMPLE]}).encode()
        )
    assert [(each["name"], each["version"], each["last_error"]) for each in states] == [
        ("iris", "2", None),
        ("iris", "1", None),
    ]
    schemas = contract["components"]["schemas"]
    assert schemas["Species"]["enum"] == ["setosa", "versicolor", "virginica"]
    assert "/models/iris/predict/batch" in contract["paths"]
    assert prediction["prediction"]["species"] == "setosa"
    (bare,) = invoked["predictions"]
    assert bare.items() < prediction["prediction"].items()


def run(command: str, folder: Path) -> str:
    done = subprocess.run(
        ["bash", "-euc", command],
        cwd=folder,
        env=make_environment(),
        capture_output=True,
        text=True,
        timeout=DEADLINE_SECONDS,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def normalise(output: str) -> Any:
    return json.loads(output) if output.startswith("{") else output.strip()
