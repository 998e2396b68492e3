"""A document as a list of what its reader does, in order."""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

_ITEM = re.compile(
    r"^<!-- test: (?P<comment>.*?) -->$"
    r"|^(?P<indent> *)```(?P<language>\w*)\n(?P<text>.*?)^ *```$",
    re.MULTILINE | re.DOTALL,
)
# What these begin with says something of the next block.
_OF_THE_NEXT_BLOCK = (
    "file ",
    "append ",
    "starts ",
    "printed by ",
    "another terminal",
    "exit ",
)


@dataclass
class Block:
    """Lines between two fences."""

    line: int
    language: str
    text: str
    span: tuple[int, int]  # of the text in the document
    comments: list[str] = field(default_factory=list)
    answer: "Block | None" = None
    powershell: "Block | None" = None


@dataclass
class Comment:
    """What a reader does beside the commands."""

    line: int
    text: str


class MisplacedBlock(Exception):
    """A block that belongs to nothing."""


def read_document(path: Path) -> list[Block | Comment]:
    """Return the steps of a document: answers stand with the commands that they belong to."""
    steps: list[Block | Comment] = []
    command: Block | None = None  # the last one
    comments: list[str] = []  # those of the next block
    for item in _read_items(path.read_text(encoding="utf-8")):
        if isinstance(item, Comment):
            if item.text.startswith(_OF_THE_NEXT_BLOCK):
                comments.append(item.text)
            else:
                steps.append(item)
            continue
        item.comments, comments = comments, []
        where = f"{path.name}:{item.line}"
        if item.language == "bash" or item.comments:
            steps.append(item)
            command = item if item.language == "bash" else None
        elif item.language == "powershell":
            if command is None or command.powershell:
                raise MisplacedBlock(f"{where}: there is no bash block to compare this with")
            command.powershell = item
        elif item.language in ("json", "text") and command and not command.answer:
            command.answer = item
        elif item.language == "text":
            raise MisplacedBlock(f"{where}: there is no command that could print this")
        else:
            steps.append(item)
    return steps


def _read_items(document: str) -> Iterator[Block | Comment]:
    for found in _ITEM.finditer(document):
        line = document.count("\n", 0, found.start()) + 1
        if found["comment"] is not None:
            yield Comment(line, found["comment"])
        else:
            text = re.sub(f"^{found['indent']}", "", found["text"], flags=re.MULTILINE)
            yield Block(line, found["language"], text, found.span("text"))
