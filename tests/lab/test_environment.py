"""What the programs that the lab starts inherit."""

import pytest

from lab.environment import make_environment


@pytest.mark.parametrize(
    "name",
    [
        *("PYTHONPATH", "PYTHONHOME", "PYTHONSAFEPATH", "PYTHONIOENCODING", "PYTHONWARNINGS"),
        *("PIP_USER", "PIP_TARGET", "PIP_PREFIX", "PIP_REQUIRE_HASHES", "PIP_CONSTRAINT"),
        *("UV_SYSTEM_PYTHON", "UV_CONSTRAINT", "UV_REQUIRE_HASHES", "UV_WORKING_DIR"),
        *("HOST", "PORT"),
    ],
)
def test_variable_is_left_out_when_it_is_meant_for_other_programs(
    monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.setenv(name, "1")

    assert name not in make_environment()


@pytest.mark.parametrize(
    "name",
    [
        *("PATH", "PYTHON", "HTTPS_PROXY", "PIP_INDEX_URL", "PIP_CERT", "UV_INDEX_URL"),
        *("UV_INDEX_OURS_PASSWORD", "UV_HTTP_TIMEOUT"),
        *("GATEWAY_API_KEYS", "SERVICE_B_URL", "LOG_LEVEL"),
    ],
)
def test_variable_is_kept_when_it_is_the_callers_wish(
    monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.setenv(name, "/wish")

    assert make_environment()[name] == "/wish"


def test_own_variable_wins_when_the_caller_has_another_value(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("HOST", "x86_64-conda-linux-gnu")
    monkeypatch.setenv("PYTHONUTF8", "0")

    environment = make_environment(HOST="127.0.0.1")

    assert (environment["HOST"], environment["PYTHONUTF8"]) == ("127.0.0.1", "1")
