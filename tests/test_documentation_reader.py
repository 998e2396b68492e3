"""The reader of the documents notices what is not as shown."""

from pathlib import Path
from typing import Any

import pytest

from tests.documentation.answer import (
    appears,
    find_differences,
    find_text_differences,
    parse_shown,
    show,
)
from tests.documentation.document import MisplacedBlock
from tests.documentation.reader import Reader
from tests.documentation.request import (
    UnreadableCommand,
    read_curl_requests,
    read_powershell_requests,
)


def follow(folder: Path, text: str) -> Reader:
    """Have a document followed that needs no service."""
    document = folder / "document.md"
    document.write_text(text)
    (folder / "reader").mkdir()
    reader = Reader(document, folder / "reader")
    try:
        reader.follow()
    finally:
        reader.leave()
    return reader


def block(language: str, text: str) -> str:
    return f"```{language}\n{text}\n```\n\n"


@pytest.mark.parametrize("value", ["", None])
def test_what_is_only_for_ci_is_left_to_it_where_its_variable_is_empty_or_unset(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, value: str | None
) -> None:
    monkeypatch.delenv("CI", raising=False)
    if value is not None:
        monkeypatch.setenv("CI", value)

    follow(tmp_path, "<!-- test: only in CI -->\n\n" + block("bash", "exit 1"))


@pytest.mark.parametrize(
    ("shown", "actual"),
    [
        ('{"price": 213910.24}', {"price": 213910.24}),
        ('{"id": …, "by": "you"}', {"id": 17, "by": "you"}),
        ('{"by": "you", …}', {"id": 17, "by": "you"}),
        ('{"…": "you"}', {"…": "you"}),
        ('[{"n": 1}, …]', [{"n": 1}, {"n": 2}]),
        ("[…]", []),
        ('"reload failed: …"', "reload failed: no such file"),
        ('"…"', 17),
    ],
)
def test_nothing_differs_when_an_answer_is_as_shown(shown: str, actual: Any) -> None:
    assert list(find_differences(parse_shown(shown), [actual])) == []


@pytest.mark.parametrize(
    ("shown", "actual", "difference"),
    [
        ('{"price": 213910.24}', {"price": 213910.25}, "[0].price: 213910.25 is not 213910.24"),
        ("1", True, "[0]: True is not 1"),
        ('{"id": 1}', {"id": 1, "by": "you"}, "[0].by: not shown"),
        ('{"id": …, …}', {"by": "you"}, "[0].id: missing"),
        ("[1, …]", [2, 3], "[0][0]: 2 is not 1"),
        ("[1, 2, …]", [1], "[0]: has 1 items, shown are 2"),
        ("[1]", [1, 2], "[0]: has 2 items, shown are 1"),
        ('"a …"', "b c", "[0]: 'b c' is not 'a …'"),
        ('{"a": {…}}', {"a": [1]}, "[0].a: [1] is not {'…more': 0}"),
    ],
)
def test_the_difference_is_named_when_an_answer_is_not_as_shown(
    shown: str, actual: Any, difference: str
) -> None:
    assert list(find_differences(parse_shown(shown), [actual])) == [difference]


def test_rest_of_a_line_and_lines_may_be_left_out_of_text() -> None:
    shown = "HTTP/1.1 503 …\n…\nretry-after: 5\n…\n"

    assert not list(find_text_differences(shown, "HTTP/1.1 503 Busy\nretry-after: 5\n"))
    assert not list(find_text_differences(shown, "HTTP/1.1 503 \na: b\nretry-after: 5\nc: d"))
    assert list(find_text_differences(shown, "HTTP/1.1 503 \nretry-after: 50\n"))
    assert list(find_text_differences(shown, "HTTP/1.1 200 \nretry-after: 5\n"))


@pytest.mark.parametrize(
    ("shown", "is_there"),
    [("b …\nd", True), ("a\nb x\nc\nd", True), ("x", False), ("d\na", False), ("b", False)],
)
def test_lines_of_a_log_may_have_others_between(shown: str, is_there: bool) -> None:
    assert appears(shown, "a\nb x\nc\nd\n") is is_there


def test_long_json_is_shown_in_lines_and_short_json_in_one() -> None:
    value = {"detail": [{"n": 1}, {"long": "x" * 80}]}

    assert show(value) == (
        '{\n  "detail": [\n    {"n": 1},\n    {"long": "' + "x" * 80 + '"}\n  ]\n}'
    )


def test_document_is_followed_to_its_end_when_all_is_as_shown(tmp_path: Path) -> None:
    reader = follow(
        tmp_path,
        "<!-- test: folder service_b -->\n"
        "<!-- test: file note.txt -->\n"
        + block("text", "hello")
        + "<!-- test: another terminal -->\n"
        + block("bash", "until [ -e done.txt ]; do sleep 0.05; done; echo found")
        + block("text", "found")
        + block("bash", "cat note.txt; touch done.txt; echo 8002")
        + block("text", "hello\n8002")
        + "<!-- test: wait -->\n"
        + "<!-- test: exit 3 -->\n"
        + block("bash", "exit 3"),
    )

    assert reader.problems == []
    assert reader.counts == {"files written": 1, "commands run": 3, "answers compared": 2}


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        (block("bash", "echo 1") + block("json", "2"), "document.md:5[0]: 1 is not 2"),
        (block("bash", "echo 1") + block("json", "{}"), "document.md:5[0]: 1 is not {}"),
        (block("bash", "false; echo 1"), "document.md:1: ended with 1:\n"),
        (block("bash", "echo no"), ""),
        (block("bash", "echo no") + block("json", "1"), "document.md:1: not JSON: no\n"),
        ("<!-- test: exit 7 -->\n" + block("bash", "true"), "document.md:2: ended with 0:\n"),
        ("<!-- test: wait -->\n", "document.md:1: nothing runs in another terminal"),
        ("<!-- test: shout -->\n", "document.md:1: no such comment: shout"),
    ],
)
def test_the_problem_is_named_with_its_line(tmp_path: Path, text: str, problem: str) -> None:
    assert follow(tmp_path, text).problems == ([problem] if problem else [])


def test_commands_are_left_out_when_the_program_that_they_need_is_missing(tmp_path: Path) -> None:
    reader = follow(
        tmp_path,
        "<!-- test: only with no-such-program -->\n"
        + block("bash", "no-such-program")
        + "<!-- test: only with bash -->\n"
        + block("bash", "bash -c true")
        + "<!-- test: everywhere -->\n"
        + block("bash", "true"),
    )

    assert reader.problems == []
    assert reader.counts == {"commands left out without no-such-program": 1, "commands run": 2}


@pytest.mark.parametrize("language", ["text", "powershell"])
def test_document_is_refused_when_a_block_belongs_to_nothing(tmp_path: Path, language: str) -> None:
    with pytest.raises(MisplacedBlock, match=r"document.md:1"):
        follow(tmp_path, block(language, "Get-Date"))


def test_answers_that_came_replace_those_shown_when_a_document_is_rewritten(
    tmp_path: Path,
) -> None:
    right = block("bash", "echo 1") + block("json", "1")
    reader = follow(tmp_path, block("bash", "echo 1") + block("json", "2") + right)

    reader.rewrite()

    assert (tmp_path / "document.md").read_text() == right + right


CURL = """\
curl -i -X POST http://localhost:8000/process -H 'Content-Type: application/json' \\
  -d '{"data": {"note": "it'"'"'s"}}' | jq . ; curl 'http://localhost:8000/inputs?limit=1'
"""
POWERSHELL = """\
Invoke-RestMethod -Method Post http://localhost:8000/process -ContentType application/json `
  -Body '{"data": {"note": "it''s"}}' | ConvertTo-Json -Depth 9
Invoke-RestMethod "http://localhost:8000/inputs?limit=1"
"""


def test_same_requests_are_read_from_bash_and_powershell() -> None:
    requests = read_curl_requests(CURL)

    assert read_powershell_requests(POWERSHELL) == requests
    assert requests[0].body == {"data": {"note": "it's"}}
    assert requests[1] == ("GET", "http://localhost:8000/inputs?limit=1", {}, None)


@pytest.mark.parametrize(
    ("change", "by"),
    [
        ("-Method Post", ""),
        ("/process", "/"),
        ("-ContentType application/json", ""),
        ("it''s", "its"),
        ("application/json `", "application/json -Headers @{'X-API-Key' = 'k'} `"),
    ],
)
def test_requests_differ_when_powershell_sends_something_else(change: str, by: str) -> None:
    assert read_powershell_requests(POWERSHELL.replace(change, by)) != read_curl_requests(CURL)


@pytest.mark.parametrize("script", ["Invoke-RestMethod -Body {", "Invoke-RestMethod $url"])
def test_powershell_is_refused_when_it_can_not_be_read(script: str) -> None:
    with pytest.raises(UnreadableCommand):
        read_powershell_requests(script)
