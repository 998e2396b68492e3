"""Writes docs/exercises.md, the students' sheet: the exercises of docs/break-it.md without answers.

    service_a/.venv/bin/python -m tests.documentation.exercises

What a command prints and why is left out, and so is each paragraph after the comment
`<!-- sheet: left out -->`, which would give an answer away.
"""

import re
from collections.abc import Iterator

from tests.running_lab import ROOT

SOURCE, SHEET = ROOT / "docs/break-it.md", ROOT / "docs/exercises.md"
_HEAD = """\
# Exercises

The student's sheet to [Break it](break-it.md): the same exercises without the answers. It takes
about two hours; afterwards you can say what a system of two services does when one of them fails,
and why. Write down your guess, do it, write down what you saw, and explain it in a sentence. Then
compare with [Break it](break-it.md).

The exercises build on each other; do them in order. Type the commands into bash.
"""
_LEFT_OUT = re.compile(r"<!-- sheet: left out -->\n\n.*?\n\n|<!-- .*? -->\n+", re.DOTALL)
# A block between fences, or a paragraph.
_PART = re.compile(r"^```(?s:.*?)^```$|(?:^(?!```).+\n)+", re.MULTILINE)
_GUESS = "> **My guess:**\n>\n> …\n"
_FINDING = "> **What I saw, and why:**\n>\n> …\n"


def write_exercises(source: str) -> str:
    """Return the sheet that belongs to the page."""
    text = source.partition("\n## Before you begin\n")[2].partition("\n## Go on\n")[0]
    text = _LEFT_OUT.sub("", text)
    introduction, *exercises = re.split(r"^(?=## )", text, flags=re.MULTILINE)
    parts = ["## Before you begin\n", introduction.strip() + "\n"]
    for exercise in exercises:
        parts += _ask(exercise)
    return "\n".join([_HEAD, *parts])


def _ask(exercise: str) -> Iterator[str]:
    explains = False
    for part in _PART.findall(exercise):
        if part.startswith("**Why.**"):
            yield _FINDING
            explains = True
        elif part.startswith("**Predict.**"):
            explains = False
        elif part.startswith("**Do.**"):
            yield _GUESS
        is_answer = part.startswith("```") and not part.startswith("```bash\n")
        if not (explains or is_answer):
            yield part.strip() + "\n"


if __name__ == "__main__":
    SHEET.write_text(write_exercises(SOURCE.read_text(encoding="utf-8")), encoding="utf-8")
