"""The walkthrough: what it shows, and when an answer is as expected."""

import json

import pytest

from lab.calls import Answer
from lab.errors import LabFailure
from lab.shells import POSIX, POWERSHELL, Shell
from lab.walkthrough import STEPS, holds, walk_through
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
