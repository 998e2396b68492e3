import pytest

from predictor.settings import Settings
from predictor.usage import parse_arguments


def test_every_setting_is_named_when_help_is_asked_for(
    capsys: pytest.CaptureFixture[str],
) -> None:
    with pytest.raises(SystemExit) as caught:
        parse_arguments(["--help"])

    usage = capsys.readouterr().out
    assert caught.value.code == 0
    assert "\n  PORT (8001)\n" in usage
    assert "\n  PREDICTOR_API_KEY (unset)\n" in usage
    assert usage.count("\n  ") == len(Settings.model_fields) + 1  # and --help itself


@pytest.mark.parametrize("argument", ["--port=9000", "start"])
def test_arguments_are_refused(argument: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        parse_arguments([argument])

    assert caught.value.code == 2
    assert capsys.readouterr().err.startswith("usage: python main.py")
