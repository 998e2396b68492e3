import os
from pathlib import Path

import pytest

from predictor import env_file
from predictor.env_file import load_env_file
from predictor.settings import SettingsError, load_settings


@pytest.fixture(autouse=True)
def folder(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """The folder of the service, and an environment that only this test changes."""
    monkeypatch.setattr(os, "environ", {"PATH": os.environ["PATH"]})
    monkeypatch.setattr(env_file, "SERVICE_FOLDER", tmp_path)
    return tmp_path


def test_settings_and_what_libraries_read_come_from_the_file_when_it_is_there(
    folder: Path,
) -> None:
    (folder / ".env").write_bytes(
        b"\xef\xbb\xbf# of this machine\r\n"
        b"PORT=9000\r\n"
        b'export PREDICTOR_ALLOWED_HOSTS="a.example, b.example"\r\n'
        b"predictor_max_connections=7 # few\r\n"
        b"LAB_PLAIN=fast_path\r\n"
        b"ROOT_PATH=\r\n"
        b"NO_SETTING_OF_OURS=${PATH}'s\r\n"
    )

    load_env_file()

    settings = load_settings()
    assert (settings.port, settings.max_connections) == (9000, 7)
    assert settings.plain == frozenset({"fast_path"})
    assert settings.allowed_hosts == frozenset({"a.example", "b.example"})
    assert settings.root_path is None
    assert os.environ["NO_SETTING_OF_OURS"] == "${PATH}'s"


@pytest.mark.parametrize("name", ["PORT", "port"])
def test_environment_wins_in_whatever_letter_case(folder: Path, name: str) -> None:
    (folder / ".env").write_text("PORT=9000\nLOG_LEVEL=DEBUG\nLOG_LEVEL=ERROR\n")
    os.environ[name] = "9001"

    load_env_file()

    assert (load_settings().port, load_settings().log_level) == (9001, "ERROR")


def test_argument_comes_before_the_variable_and_both_before_the_folder_s_file(
    folder: Path,
) -> None:
    for name, port in ((".env", 1), ("variable.env", 2), ("argument.env", 3)):
        (folder / name).write_text(f"PORT={port}\n")
    os.environ["LAB_ENV_FILE"] = str(folder / "variable.env")

    load_env_file(folder / "argument.env")
    assert os.environ.pop("PORT") == "3"
    load_env_file()
    assert os.environ.pop("PORT") == "2"
    os.environ["LAB_ENV_FILE"] = ""
    load_env_file()
    assert os.environ.pop("PORT") == "1"


def test_folder_with_the_name_of_the_file_is_left_alone(folder: Path) -> None:
    (folder / ".env").mkdir()  # a venv has this name, too

    load_env_file()


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (None, ": No such file or directory"),
        (b"PORT=9000\n\nkey\n", " line 3: must be NAME=value"),
        (b'KEY="open\n', " line 1: must be NAME=value"),
        (b"KEY=a\0b\n", " line 1: must be NAME=value"),
        (b"'a=b'=c\n", " line 1: must be NAME=value"),
        (b"KEY=\xff\n", ": is not UTF-8"),
    ],
)
def test_file_that_cannot_be_used_is_told_in_one_line(
    folder: Path, content: bytes | None, problem: str
) -> None:
    file = folder / "named.env"
    if content is not None:
        file.write_bytes(content)

    with pytest.raises(SettingsError) as caught:
        load_env_file(file)

    assert str(caught.value) == f"{file}{problem}"


def test_variable_that_names_a_file_in_vain_is_told(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LAB_ENV_FILE", str(folder / "missing"))

    with pytest.raises(SettingsError, match=r"missing: No such file or directory \(LAB_ENV_FILE\)"):
        load_env_file()
