import errno
from pathlib import Path

import pytest

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
