from pathlib import Path

import pytest

from training.provenance import read_code_revision


@pytest.mark.parametrize(("name", "value"), [("PATH", ""), ("GIT_DIR", "nowhere")])
def test_revision_is_unknown_without_git_or_its_repository(
    name: str, value: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv(name, value)
    assert read_code_revision() == "unknown"
