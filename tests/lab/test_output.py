"""What the lab prints, on whatever terminal it is."""

import io
import sys

import pytest

from lab.output import colour, write_in_any_encoding


class FakeTerminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize("encoding", ["ascii", "cp932", "cp1252", "utf-8"])
def test_nothing_is_too_strange_to_be_printed(
    monkeypatch: pytest.MonkeyPatch, encoding: str
) -> None:
    shown = io.BytesIO()
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(shown, encoding=encoding))
    monkeypatch.setattr(sys, "stderr", None)  # as when it was closed

    write_in_any_encoding()
    sys.stdout.write("5 € für Øre, 日本\n")

    expected = "5 € für Øre, 日本\n".encode(encoding, errors="backslashreplace")
    assert shown.getvalue() == expected  # at once, without a flush


def test_text_is_coloured_only_on_a_terminal_without_no_color(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delenv("NO_COLOR", raising=False)
    monkeypatch.setattr(sys, "stdout", io.StringIO())
    assert colour("A | ", 36) == "A | "
    monkeypatch.setattr(sys, "stdout", FakeTerminal())
    assert colour("A | ", 36) == "\033[36mA | \033[0m"
    monkeypatch.setenv("NO_COLOR", "1")
    assert colour("A | ", 36) == "A | "
