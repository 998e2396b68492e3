"""The steps of the test command."""

import pytest

from lab.errors import LabFailure
from lab.steps import Steps


def fail() -> bool:
    raise LabFailure("the disk is full")


def test_summary_says_of_each_step_how_it_ended(capsys: pytest.CaptureFixture[str]) -> None:
    steps = Steps()
    taken = [
        steps.take("one", lambda: True),
        steps.take("two", lambda: False),
        steps.take("three", fail),
        steps.take("four", lambda: None),
    ]
    steps.print_summary()

    assert taken == [True, False, False, True]
    assert not steps.all_passed
    shown = capsys.readouterr()
    assert shown.err == "the disk is full\n"
    assert shown.out == (
        "\n==== one\n\n==== two\n\n==== three\n\n==== four\n"
        "\n==== Took 0 min 0 s\n\n==== Summary\npassed     0 s  one\n"
        "failed     0 s  two\nfailed     0 s  three\n"
        "passed     0 s  four\n"
    )


def test_all_passed_when_every_step_did() -> None:
    steps = Steps()
    steps.take("one", lambda: True)

    assert steps.all_passed
