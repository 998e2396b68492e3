import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from predictor import __version__
from predictor.command import main, make_app
from predictor.settings import SECRETS, SERVICE_FOLDER, Settings


@pytest.fixture(autouse=True)
def own_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "environ", dict(os.environ))


def test_every_setting_is_named_when_help_is_asked_for(
    capsys: pytest.CaptureFixture[str],
) -> None:
    with pytest.raises(SystemExit) as caught:
        main(arguments=["--help"])

    printed = capsys.readouterr().out
    assert caught.value.code == 0
    assert printed.startswith("usage: predictor [-h] [--models FILE] [--env-file FILE] [openapi")
    assert "\n  PORT (8001)\n" in printed
    assert "\n  PREDICTOR_API_KEY (unset)\n" in printed
    assert printed.partition("does:\n")[2].count("\n  ") == len(Settings.model_fields) + len(
        SECRETS
    )


@pytest.mark.parametrize("argument", ["--port=9000", "start", "openapi"])
def test_unknown_arguments_are_refused(argument: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        main("python main.py", [argument])

    assert caught.value.code == 2
    assert capsys.readouterr().err.startswith("usage: python main.py")


def test_committed_document_is_written_when_nothing_has_changed(tmp_path: Path) -> None:
    main(arguments=["openapi", "--output", str(tmp_path / "openapi.json")])

    document = json.loads((tmp_path / "openapi.json").read_bytes())
    assert document == json.loads((SERVICE_FOLDER / "openapi.json").read_bytes())
    assert document["info"]["version"] == __version__


def test_nothing_is_written_when_a_model_is_missing(settings: Settings, tmp_path: Path) -> None:
    output = tmp_path / "openapi.json"

    with pytest.raises(SystemExit, match=r"tiny: .*no version is there"):
        main(arguments=["--models", str(settings.models), "openapi", "--output", str(output)])

    assert not output.exists()


def test_document_that_cannot_be_written_is_told_in_one_line(
    settings: Settings, write_version: Callable[..., Path], tmp_path: Path
) -> None:
    write_version()
    models = ["--models", str(settings.models)]
    with pytest.raises(SystemExit, match=r"^\S*openapi.json: No such file or directory$"):
        main(arguments=["openapi", "--output", str(tmp_path / "no/openapi.json"), *models])


def test_files_are_named_by_arguments(settings: Settings, tmp_path: Path) -> None:
    file = tmp_path / "lab.env"
    file.write_text("PORT=9000\nPREDICTOR_MODELS=none.yaml\n")

    made = make_app(file, settings.models).state.settings

    assert (made.port, made.models) == (9000, settings.models)
    with pytest.raises(SystemExit, match=r"none.env: No such file or directory$"):
        main(arguments=["--env-file", str(tmp_path / "none.env")])


def test_variable_of_a_library_that_cannot_be_used_is_told_from_the_file(tmp_path: Path) -> None:
    file = tmp_path / "lab.env"
    file.write_text("SKLEARN_WORKING_MEMORY=much\n")

    with pytest.raises(SystemExit, match=r"^SKLEARN_WORKING_MEMORY: must be a whole number"):
        make_app(file)


# Ctrl-C comes while main.py imports what it needs.
INTERRUPTED = """
import os, runpy, signal, sys
class Interrupt:
    def find_spec(self, name, path, target=None):
        if name == "predictor.command":
            os.kill(os.getpid(), signal.SIGINT)
sys.meta_path.insert(0, Interrupt())
signal.signal(signal.SIGINT, signal.default_int_handler)
runpy.run_path("main.py", run_name="__main__")
"""


@pytest.mark.skipif(sys.platform == "win32", reason="has no such signals")
def test_ctrl_c_ends_the_start_without_a_traceback() -> None:
    result = subprocess.run(
        [sys.executable, "-c", INTERRUPTED], cwd=SERVICE_FOLDER, capture_output=True, check=False
    )

    assert (result.returncode, result.stderr) == (-signal.SIGINT, b"")
