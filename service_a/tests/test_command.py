import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from gateway import __version__
from gateway.command import main, make_app
from gateway.settings import SECRETS, SERVICE_FOLDER, Settings


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
    assert printed.startswith("usage: gateway [-h] [--env-file FILE] [openapi --output FILE]\n")
    assert "\n  PORT (8000)\n" in printed
    assert "\n  GATEWAY_API_KEYS (unset)\n" in printed
    assert printed.partition("does:\n")[2].count("\n  ") == len(Settings.model_fields) + len(
        SECRETS
    )


@pytest.mark.parametrize("argument", ["--port=9000", "start", "openapi"])
def test_unknown_arguments_are_refused(argument: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        main("python main.py", [argument])

    assert caught.value.code == 2
    assert capsys.readouterr().err.startswith("usage: python main.py")


def test_document_is_written_with_the_version_of_the_package(tmp_path: Path) -> None:
    main(arguments=["openapi", "--output", str(tmp_path / "openapi.json")])

    document = json.loads((tmp_path / "openapi.json").read_bytes())
    assert document["info"]["version"] == __version__
    assert "/process" in document["paths"]


def test_document_that_cannot_be_written_is_told_in_one_line(tmp_path: Path) -> None:
    with pytest.raises(SystemExit, match=r"^\S*openapi.json: No such file or directory$"):
        main(arguments=["openapi", "--output", str(tmp_path / "no/openapi.json")])


def test_file_of_variables_is_named_by_an_argument(tmp_path: Path) -> None:
    file = tmp_path / "lab.env"
    file.write_text("PORT=9000\n")

    assert make_app(file).state.settings.port == 9000
    with pytest.raises(SystemExit, match=r"none.env: No such file or directory$"):
        main(arguments=["--env-file", str(tmp_path / "none.env")])


# Ctrl-C comes while main.py imports what it needs.
INTERRUPTED = """
import os, runpy, signal, sys
class Interrupt:
    def find_spec(self, name, path, target=None):
        if name == "gateway.command":
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
