import errno
import subprocess
import sys
from pathlib import Path

import pytest

from predictor.settings import SERVICE_FOLDER
from training.errors import TrainingError
from training.workspace import Workspace

DEPENDENCIES = {"code": "1", "data": "a"}


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    workspace = Workspace(tmp_path / "work")
    workspace.write("bake", DEPENDENCIES, lambda folder: fill(folder, "bread"))
    return workspace


def fill(folder: Path, text: str) -> None:
    (folder / "plots").mkdir()
    (folder / "plots" / "text").write_text(text, encoding="utf-8")


def test_artifact_fits_when_nothing_changed(workspace: Workspace) -> None:
    assert workspace.find_fault("bake", DEPENDENCIES) is None
    assert workspace.find_fault("bake", {"data": "a"}) is None
    assert workspace.locate("bake", "plots/text").read_text(encoding="utf-8") == "bread"


def test_artifact_that_was_never_made_is_missing(workspace: Workspace) -> None:
    assert workspace.find_fault("eat", DEPENDENCIES) == "missing"
    assert workspace.digest("eat") == "missing"


def test_artifact_is_stale_when_what_it_was_made_of_changed(workspace: Workspace) -> None:
    assert workspace.find_fault("bake", DEPENDENCIES | {"data": "b"}) == "stale: data changed"


def test_artifact_is_damaged_when_its_files_changed(workspace: Workspace) -> None:
    path = workspace.locate("bake", "plots/text")
    path.write_text("cake", encoding="utf-8")
    assert workspace.find_fault("bake", DEPENDENCIES) == f"damaged: {path}"
    path.unlink()
    assert workspace.find_fault("bake", DEPENDENCIES) == f"damaged: {path}"


def test_artifact_with_a_broken_record_counts_as_missing(workspace: Workspace) -> None:
    workspace.locate("bake", "step.json").write_text("{", encoding="utf-8")
    assert workspace.find_fault("bake", DEPENDENCIES) == "missing"


def test_digest_says_whether_two_artifacts_are_the_same(workspace: Workspace) -> None:
    before = workspace.digest("bake")
    workspace.write("bake", {}, lambda folder: fill(folder, "bread"))
    assert workspace.digest("bake") == before
    workspace.write("bake", {}, lambda folder: fill(folder, "cake"))
    assert workspace.digest("bake") != before


@pytest.mark.parametrize(
    ("failure", "raised"),
    [
        (OSError(errno.ENOSPC, "No space left on device"), TrainingError),
        (KeyboardInterrupt(), KeyboardInterrupt),
        (BrokenPipeError(), BrokenPipeError),  # of the output: it's no fault of the artifact
    ],
)
def test_failed_step_keeps_the_former_artifact_and_leaves_nothing_else(
    workspace: Workspace, failure: BaseException, raised: type[BaseException]
) -> None:
    def fail(folder: Path) -> None:
        fill(folder, "half")
        raise failure

    with pytest.raises(raised):
        workspace.write("bake", DEPENDENCIES, fail)
    assert [each.name for each in workspace.folder.iterdir()] == ["bake"]
    assert workspace.find_fault("bake", DEPENDENCIES) is None


def test_folder_that_cannot_be_made_is_a_clear_error(tmp_path: Path) -> None:
    (tmp_path / "work").touch()
    with pytest.raises(TrainingError, match="cannot write the artifact of bake: Not a directory"):
        Workspace(tmp_path / "work").write("bake", {}, lambda _: None)


def test_only_one_training_works_in_a_folder(workspace: Workspace) -> None:
    with (
        workspace.lock(),
        pytest.raises(TrainingError, match=r"another training works in .*work"),
        workspace.lock(),
    ):
        pass
    with workspace.lock():
        assert workspace.find_fault("bake", DEPENDENCIES) is None


def test_file_system_without_locks_can_be_worked_in(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(_: int) -> None:
        raise OSError(errno.ENOLCK, "No locks available")

    monkeypatch.setattr("training.workspace._take", fail)
    with workspace.lock():
        assert workspace.find_fault("bake", DEPENDENCIES) is None


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no SIGKILL")
def test_killed_training_leaves_a_folder_that_can_be_worked_in(workspace: Workspace) -> None:
    program = """
import sys
from pathlib import Path
from training.workspace import Workspace

def fill(folder):
    (folder / "half").touch()
    print("waits", flush=True)
    sys.stdin.read()

workspace = Workspace(Path(sys.argv[1]))
with workspace.lock():
    workspace.write("bake", {}, fill)
"""
    with subprocess.Popen(
        [sys.executable, "-c", program, workspace.folder],
        cwd=SERVICE_FOLDER,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"waits\n"
        with pytest.raises(TrainingError, match="another training"), workspace.lock():
            pass
        process.kill()
    assert len(list(workspace.folder.iterdir())) == 2
    with workspace.lock():
        assert [each.name for each in workspace.folder.iterdir()] == ["bake"]
    assert workspace.find_fault("bake", DEPENDENCIES) is None


def test_record_without_its_parts_counts_as_missing(workspace: Workspace) -> None:
    workspace.locate("bake", "step.json").write_text('{"files": {}}', encoding="utf-8")
    assert workspace.find_fault("bake", DEPENDENCIES) == "missing"
