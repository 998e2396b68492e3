"""The files of the lab's own page, without a browser."""

import csv
import json
import os
import re
from typing import Any

import pytest

from tests.running_lab import ROOT
from tests.test_documentation_links import read_prose
from tests.test_system_ames import DATA, read_houses

FOLDER = ROOT / "service_a/gateway/web/lab_page"
TEXTS = {
    path.name: path.read_text(encoding="utf-8")
    for path in sorted(FOLDER.iterdir())
    if path.suffix != ".svg"
}
HOUSES: list[dict[str, Any]] = json.loads(TEXTS["houses.json"])


def test_the_page_is_small() -> None:
    assert sum(text.count("\n") for text in TEXTS.values()) < 1200


def test_nothing_is_ever_set_as_markup() -> None:
    markup = re.compile(r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|\bstyle=|eval\(")
    assert [name for name, text in TEXTS.items() if markup.search(text)] == []


def test_all_that_the_page_names_is_its_own() -> None:
    linked = re.findall(r'(?:href|src)="([^"#]+)"', TEXTS["index.html"])
    code = "".join(text for name, text in TEXTS.items() if name.endswith(".js"))
    imported = re.findall(r'from "\./([^"]+)"', code) + re.findall(r'get\("lab/([^"]+)"', code)
    assert {name.removeprefix("lab/") for name in linked} - {"metrics"} | set(imported) <= {
        path.name for path in FOLDER.iterdir()
    }


def test_every_section_that_the_page_refers_to_exists() -> None:
    words = re.sub(r"\s+", " ", TEXTS["index.html"])
    named = re.findall(r"<cite>(docs/[\w-]+\.md): ([^<]+)</cite>", words)
    assert len(named) == words.count('class="teaches"') == words.count("<section")
    for path, title in named:
        assert re.search(rf"^#+ {re.escape(title)}$", read_prose(ROOT / path), re.MULTILINE), title


def test_every_part_has_a_line_with_a_link_that_the_lab_itself_answers() -> None:
    lines = re.findall(r'class="teaches">(.*?)</p>', TEXTS["index.html"])
    assert lines
    assert [line for line in lines if not re.search(r'href="(redoc#tag/\w+|metrics)"', line)] == []


def test_each_house_is_described_and_has_a_price() -> None:
    assert len(HOUSES) == 20
    assert all(house.keys() == {"title", "salePrice", "facts"} for house in HOUSES)


@pytest.mark.skipif(not os.environ.get("CI"), reason="takes 2 seconds: runs only in CI")
@pytest.mark.skipif(
    not DATA.exists(), reason=f"needs the data: {DATA} is missing, AMES_DATA names another file"
)
def test_each_house_was_sold_as_the_data_says() -> None:
    with DATA.open(encoding="utf-8", newline="") as file:
        prices = [int(row["SalePrice"]) for row in csv.DictReader(file, delimiter="\t")]
    sold = list(zip(map(make_plain, read_houses()), prices, strict=True))
    shown = [(make_plain(house["facts"]), house["salePrice"]) for house in HOUSES]
    assert [each for each in shown if each not in sold] == []


def make_plain(facts: dict[str, Any]) -> dict[str, Any]:
    """The data says None where a house has no veneer, and snake_case has no 1St."""
    return {name.lower(): None if value == "None" else value for name, value in facts.items()}
