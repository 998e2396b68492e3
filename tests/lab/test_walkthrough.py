"""The walkthrough: what it shows, and when an answer is as expected."""

import io
import json

import pytest

from lab.calls import Answer
from lab.errors import LabFailure
from lab.shells import POSIX, POWERSHELL, Shell
from lab.walkthrough import STEPS, holds, show, walk_through
from tests.lab.test_output import FakeTerminal
from tests.running_lab import find_free_port

NAMES = {"service": "Service A - Input Logger", "status": "running"}
LOGGED = {"status": "Input logged successfully"}
PRICED = LOGGED | {"model_prediction": {"prediction": {"price": 1.0}}}
BLAMED = {"detail": [{"loc": ["body", "data", "gr_liv_area"]}]}


@pytest.mark.parametrize(
    ("step", "status", "answer", "as_expected"),
    [
        (0, 200, NAMES, True),
        (0, 503, NAMES, False),
        (0, 200, NAMES | {"more": 1}, False),
        (2, 200, {"service": "Service A", "status": "healthy", "circuit_breaker": "open"}, True),
        (2, 200, {"service": "Service A", "status": "unhealthy"}, False),
        (4, 200, LOGGED, True),
        (4, 200, PRICED, False),
        (5, 200, PRICED, True),
        (5, 200, LOGGED, False),
        (5, 200, LOGGED | {"model_prediction": None}, False),
        (8, 422, BLAMED, True),
        (8, 422, {"detail": "no"}, False),
        (8, 422, {"detail": [{"loc": ["body", "input", "gr_liv_area"]}]}, False),
    ],
)
def test_answer_is_judged_by_its_status_and_content(
    step: int, status: int, answer: object, as_expected: bool
) -> None:
    assert holds(STEPS[step].expected, Answer(status, json.dumps(answer))) is as_expected


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ('{"status":"running","n":[1,null]}', '{"status": "running", "n": [1, null]}'),
        (json.dumps({"a": "é" * 80, "b": 1.5}), '{\n  "a": "' + "é" * 80 + '",\n  "b": 1.5\n}'),
        ("<html>", "<html>"),
    ],
)
def test_json_is_indented_unless_it_is_short(text: str, shown: str) -> None:
    assert show(text) == shown


def test_json_is_coloured_on_a_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("NO_COLOR", raising=False)
    monkeypatch.setattr("sys.stdout", FakeTerminal())

    key, text, number = "\x1b[36m{}\x1b[0m", "\x1b[32m{}\x1b[0m", "\x1b[33m{}\x1b[0m"
    expected = (
        "{"
        + key.format('"a"')
        + ": ["
        + text.format('"b: 1"')
        + ", "
        + number.format("-1500.0")
        + "]}"
    )
    assert show('{"a": ["b: 1", -1.5e3]}') == expected


def test_step_says_what_each_call_teaches_and_waits(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("lab.walkthrough.call", lambda *_, **__: Answer(200, "{}"))
    keys = io.StringIO("\n" * 4)  # and then nobody is there
    monkeypatch.setattr("sys.stdin", keys)

    assert not walk_through("http://a", "http://b", POSIX, waits=True)

    shown = capsys.readouterr().out
    assert shown.count("Press Enter for the next call ") == len(STEPS) - 1
    assert all(f"\n{step.lesson}\nPress Enter for " in shown for step in STEPS)
    assert keys.read() == ""


def test_answer_is_not_as_expected_when_it_is_no_json() -> None:
    assert not any(holds(step.expected, Answer(200, "<html>")) for step in STEPS)


@pytest.mark.parametrize(
    ("shell", "advice"),
    [
        (POSIX, "in another terminal: ./run_services.sh"),
        (POWERSHELL, r"in another window: .\run_services.ps1"),
    ],
    ids=["posix", "powershell"],
)
def test_what_to_start_is_said_when_nothing_answers(shell: Shell, advice: str) -> None:
    url = f"http://localhost:{find_free_port()}"

    with pytest.raises(LabFailure) as failure:
        walk_through(url, url, shell)

    assert str(failure.value) == (
        f"Service A does not answer at {url}. Start both services {advice}"
    )
