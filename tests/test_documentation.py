"""What the documents show is what happens: their commands are run and their answers compared.

How a document is written so that a reader can follow it stands in `tests/documentation`.
After a change that alters answers, `UPDATE_DOCUMENTATION=1` writes the new ones into the files.
"""

import os
import re
import shutil
import subprocess
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any, cast

import pytest

from benchmarks.houses import find_version, read_card
from tests.documentation import DOCUMENTS
from tests.documentation.document import Block, read_document
from tests.documentation.elsewhere import RUN_ELSEWHERE, find_test
from tests.documentation.exercises import SHEET
from tests.documentation.reader import Reader
from tests.documentation.used_log import write_used_log
from tests.running_lab import ROOT, Service

README = ROOT / "README.md"
# Their readers write a model, routes and a server of their own, which they keep.
CHANGES_THE_LAB = {"your-own-model.md", "your-own-service-b.md"}


@pytest.fixture(scope="module")
def readers(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[dict[Path, "Future[Reader]"]]:
    """Two readers at a time, since most of their time they wait. The long documents come first."""

    def follow(document: Path, folder: Path) -> Reader:
        reader = Reader(document, folder, used_log=used_log)
        try:
            reader.follow()
        finally:
            reader.leave()
        return reader

    used_log = write_used_log(tmp_path_factory.mktemp("used"))
    selected: list[Path] = [
        cast(Path, item.callspec.params["document"])
        for item in request.session.items
        if isinstance(item, pytest.Function) and "readers" in item.fixturenames
    ]
    selected.sort(key=lambda document: -document.stat().st_size)
    with ThreadPoolExecutor(2) as pool:
        yield {
            document: pool.submit(follow, document, tmp_path_factory.mktemp("reader"))
            for document in selected
        }


# The sheet has the commands of the exercises.
@pytest.mark.parametrize(
    "document",
    [document for document in DOCUMENTS if document != SHEET],
    ids=lambda path: str(path.relative_to(ROOT)),
)
def test_every_answer_is_as_shown_when_a_document_is_followed(
    document: Path,
    readers: dict[Path, "Future[Reader]"],
    record_property: Callable[[str, object], None],
) -> None:
    reader = readers[document].result()
    print(reader.log)  # noqa: T201 - pytest shows it only for a failure
    if os.environ.get("UPDATE_DOCUMENTATION"):
        reader.rewrite()
    record_property("documentation", dict(reader.counts))
    assert not reader.problems, "\n".join(reader.problems)
    assert document.name in CHANGES_THE_LAB or reader.left_behind == []
    # Whatever the reader understands of a document: it has left out no command.
    text = document.read_text(encoding="utf-8")
    commands = sum(count for what, count in reader.counts.items() if what.startswith("commands "))
    assert text.count("```bash\n") == commands
    assert text.count("```powershell\n") == reader.counts["PowerShell blocks compared"]


def test_every_command_that_is_left_to_another_test_is_in_a_document() -> None:
    left = [
        find_test(step.text)
        for document in DOCUMENTS
        for step in read_document(document)
        if isinstance(step, Block) and step.language == "bash"
    ]
    for test in RUN_ELSEWHERE.values():
        assert test in left
        assert (ROOT / test).exists(), test


def test_the_quality_of_the_served_model_is_that_of_its_card() -> None:
    text = README.read_text()
    actual = write_quality(text)
    if os.environ.get("UPDATE_DOCUMENTATION"):
        README.write_text(actual)
    assert actual == text


def write_quality(text: str) -> str:
    """Put the figures of the served model's card into the table that shows them."""
    card = read_card(find_version(ROOT / "service_b/models/ames"))["metrics"]
    whole = card["five_fold"]
    scant, spread = whole["required_fields_only"], whole["spread"]
    rows = [
        write_row(title, figures, deviations)
        for title, figures, deviations in (
            ("this model, all fields", whole, spread["all_fields"]),
            ("in a neighbourhood that it has never seen", card["new_places"], None),
            ("sold in 2010, trained on the years before", card["later"], None),
            (
                "this model, only the four required fields",
                scant,
                spread["required_fields_only"],
            ),
            ("one draw (seed 42), this model, all fields", card, None),
            (
                "one draw (seed 42), a plain random forest, all fields",
                card["random_forest_baseline"],
                None,
            ),
        )
    ]
    table = re.compile(r"(?<=\|---\|---:\|---:\|---:\|\n)(\|.*\n)+")
    assert table.search(text)
    return table.sub("\n".join(rows) + "\n", text)


def write_row(title: str, figures: dict[str, Any], deviations: dict[str, Any] | None) -> str:
    """Write a row of that table, with how much the parts differ where that was measured."""
    cells = [title]
    for name, form, unit in (
        ("r2", ".3f", ""),
        ("mape_percent", ".1f", "%"),
        ("within_10_percent_share", ".1%", ""),
    ):
        more = f" ± {deviations[name]['deviation']:{form}}{unit}" if deviations else ""
        cells.append(f"{figures[name]:{form}}{unit}{more}")
    return "| " + " | ".join(cells) + " |"


@pytest.mark.skipif(not os.environ.get("CI"), reason="installs packages anew: runs only in CI")
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
