"""What a teacher takes from the documents: plan, sheet, slides, quiz, the folder of wheels."""

import os
import re
import shutil
import subprocess
import sys
from itertools import pairwise
from pathlib import Path

import pytest

from tests.documentation.document import Block, read_document
from tests.documentation.exercises import SHEET, SOURCE, write_exercises
from tests.running_lab import ROOT, find_free_port, wait_until

TEACHING = ROOT / "docs/teaching.md"
SLIDES = ROOT / "docs/slides.md"


def read_diagrams(document: Path) -> list[str]:
    return [
        step.text
        for step in read_document(document)
        if isinstance(step, Block) and step.language == "mermaid"
    ]


def test_the_sheet_is_what_the_exercises_make_it() -> None:
    expected = write_exercises(SOURCE.read_text(encoding="utf-8"))

    assert SHEET.read_text(encoding="utf-8") == expected, (
        "run service_a/.venv/bin/python -m tests.documentation.exercises"
    )


def test_every_question_of_the_sheet_has_room_for_a_guess_and_no_answer() -> None:
    source, sheet = (path.read_text(encoding="utf-8") for path in (SOURCE, SHEET))
    questions = source.count("\n**Predict.**") - 2  # two exercises ask again before their "Why"

    assert len(re.findall(r"^## \d+\. ", sheet, re.MULTILINE)) == 11
    assert sheet.count("**What I saw, and why:**") == questions
    assert sheet.count("**My guess:**") == source.count("\n**Do.**")
    assert [
        each for each in re.findall(r"^\*\*Why\.\*\* (.{20})", source, re.M) if each in sheet
    ] == []


def test_every_diagram_of_the_slides_is_one_of_the_documents() -> None:
    others = [
        diagram
        for document in (ROOT / "README.md", *(ROOT / "docs").glob("*.md"))
        if document != SLIDES
        for diagram in read_diagrams(document)
    ]
    diagrams = read_diagrams(SLIDES)
    assert len(diagrams) >= 3
    assert [each for each in diagrams if each not in others] == []


def test_the_plan_has_no_gap_and_ends_when_it_says() -> None:
    text = TEACHING.read_text(encoding="utf-8")
    spans = [(int(a), int(b)) for a, b in re.findall(r"^\| (\d+)\W(\d+) \|", text, re.MULTILINE)]
    gaps = [(before[1], after[0]) for before, after in pairwise(spans)]

    assert spans[0][0] == 0
    assert [gap for gap in gaps if gap[0] != gap[1]] == [(90, 105)]
    assert spans[-1][1] == 240


def test_the_slides_of_the_plan_are_there() -> None:
    plan = re.findall(r"slides? (\d)(?: (?:to|and) (\d))?", TEACHING.read_text(encoding="utf-8"))
    slides = SLIDES.read_text(encoding="utf-8").split("\n---\n")[1:]

    assert max(int(number) for pair in plan for number in pair if number) == len(slides)


def test_every_question_of_the_quiz_has_an_answer() -> None:
    questions, answers = (
        TEACHING.read_text(encoding="utf-8").split("\n## Quiz\n")[1].split("\n### Answers\n")
    )
    numbers = re.compile(r"^(\d+)\. ", re.MULTILINE)

    assert numbers.findall(questions) == numbers.findall(answers)
    assert len(numbers.findall(answers)) == 12


@pytest.mark.skipif(not os.environ.get("CI"), reason="downloads packages: only in CI")
def test_a_venv_is_filled_from_the_folder_of_one_machine(tmp_path: Path) -> None:
    commands = next(
        step.text
        for step in read_document(TEACHING)
        if isinstance(step, Block) and "pip download" in step.text
    )
    # One service is enough, and the repository's own folder stays as it is.
    lines = [line for line in commands.splitlines() if "service_b" not in line]
    script = "\n".join(lines).replace("class/", f"{tmp_path}/class/")
    subprocess.run(["bash", "-ec", script], cwd=ROOT, check=True)
    shutil.unpack_archive(tmp_path / "class/lab.zip", tmp_path)
    port = find_free_port()
    command = [sys.executable, "-m", "http.server", "--bind", "127.0.0.1", str(port)]
    server = subprocess.Popen([*command, "--directory", tmp_path / "class"])
    try:
        wait_until(lambda: not subprocess.call(["curl", "-s", f"http://127.0.0.1:{port}/"]))
        subprocess.run(
            ["bash", "run_services.sh", "--prepare", "requirements.txt", "service_a"],
            cwd=tmp_path / "lab",
            env={
                **os.environ,
                "PIP_NO_INDEX": "1",
                "PIP_FIND_LINKS": f"http://127.0.0.1:{port}/wheels/",
                "PIP_TRUSTED_HOST": "127.0.0.1",
                "PIP_CONFIG_FILE": "/dev/null",
                "PIP_NO_CACHE_DIR": "1",
            },
            check=True,
        )
    finally:
        server.terminate()
        server.wait()
    python = tmp_path / "lab/service_a/.venv/bin/python"
    subprocess.run([python, "-c", "import fastapi, sqlalchemy"], check=True)
