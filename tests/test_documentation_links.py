"""Every link of the documents leads somewhere, and every file that they name exists."""

import os
import re
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from urllib.parse import unquote

import pytest

from tests.documentation import DOCUMENTS
from tests.documentation.document import Block, read_document
from tests.running_lab import ROOT

FENCED = re.compile(r"^ *```.*?^ *```$", re.MULTILINE | re.DOTALL)
LINK = re.compile(r"\]\(([^)\s]+)\)|<(https?://[^>]+)>")
# A path, or the name of a file that somebody wrote.
FILE = re.compile(r"`((?:[\w-]+/)+[\w.-]*|[\w.-]+\.(?:py|md|ya?ml|sh|ps1|toml|txt))`")
# What a program makes; it is in no clone.
MADE_LATER = {
    *("benchmarks/results/", "candidates.md", "report.md", "models/iris"),
    *("data/inputs.db", "service_a/data/inputs.db", "class/wheels"),
    *("service_a/.venv", "service_b/.venv"),
}


@cache
def list_paths() -> set[str]:
    """Return every file and folder of the repository, and every end of their paths."""
    paths = set()
    for folder, folders, files in os.walk(ROOT):
        folders[:] = [name for name in folders if not name.startswith(".") and name[0] != "_"]
        inside = Path(folder).relative_to(ROOT)
        for name in files:
            paths.add(f"/{inside / name}")
        for name in folders:
            paths.add(f"/{inside / name}/")
    return {path[start:] for path in paths for start in find_slashes(path)}


def find_slashes(path: str) -> Iterator[int]:
    return (index + 1 for index, letter in enumerate(path[:-1]) if letter == "/")


@cache
def read_prose(document: Path) -> str:
    return FENCED.sub("", document.read_text(encoding="utf-8"))


@cache
def read_anchors(document: Path) -> set[str]:
    """Return the anchors that GitHub gives to the headings."""
    titles = re.findall(r"^#+ (.*)$", read_prose(document), re.MULTILINE)
    return {re.sub(r"[^\w -]", "", title.lower()).replace(" ", "-") for title in titles}


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_every_link_leads_somewhere(
    document: Path, record_property: Callable[[str, object], None]
) -> None:
    links = [link or address for link, address in LINK.findall(read_prose(document))]
    for link in links:
        path, _, anchor = unquote(link).partition("#")
        if path.startswith("http"):
            continue
        target = (document.parent / path).resolve() if path else document
        assert target.exists(), link
        assert target.is_relative_to(ROOT), link
        assert not anchor or anchor in read_anchors(target), link
    record_property("documentation", {"links": len(links)})


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_every_file_that_is_named_exists(
    document: Path, record_property: Callable[[str, object], None]
) -> None:
    written = {
        name
        for step in read_document(document)
        if isinstance(step, Block)
        for kind, _, name in (comment.partition(" ") for comment in step.comments)
        if kind == "file"
    }
    files = FILE.findall(read_prose(document))
    known = list_paths() | written | MADE_LATER
    assert [each for each in files if each not in known and f"{each}/" not in known] == []
    record_property("documentation", {"files named": len(files)})


def test_every_document_can_be_reached_from_the_readme() -> None:
    reached: set[Path] = set()
    new = {ROOT / "README.md"}
    while new:
        reached |= new
        links = {
            (document.parent / link.partition("#")[0]).resolve()
            for document in new
            for link, _ in LINK.findall(read_prose(document))
        }
        new = {each for each in links if each.suffix == ".md"} - reached
    # The benchmarks write the tables of their results themselves.
    assert reached - {ROOT / "benchmarks/results/README.md"} == set(DOCUMENTS)
