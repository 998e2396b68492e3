import errno
import hashlib
import threading
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, NoReturn

import joblib
import pytest

from predictor.card import Feature, Target, Training, read_card
from training.alias import read_alias
from training.errors import TrainingError
from training.evaluation import Trained
from training.interval import Spread
from training.registration import find_registered
from training.registration import register as register_trained

CONTENTS: dict[str, Any] = {
    "name": "tiny",
    "title": "Tiny",
    "description": "For tests.",
    "target": Target(name="price", column="SalePrice", unit="USD", meaning="The price."),
    "features": (
        Feature(name="area", column="Area", kind="number", meaning="Size.", minimum=0, maximum=9),
    ),
    "metrics": {"r2": 0.5},
    "training": Training(
        data_file="sales.txt",
        data_url="http://localhost/sales.txt",
        data_sha256="0" * 64,
        rows=3,
        seed=0,
        parameters={},
        code_revision="unknown",
        trained_at=datetime(2026, 1, 1, tzinfo=UTC),
    ),
    "libraries": {"numpy": "2.0.0"},
    "example": {"area": 1},
}


def register(estimator: object, contents: dict[str, Any], models: Path) -> Path:
    trained = Trained(estimator, Spread("spread", 1.1))
    with TemporaryDirectory() as folder:
        evaluation = Path(folder)
        (evaluation / "report.md").write_text("# Report\n")
        (evaluation / "residuals.png").write_bytes(b"a picture")
        return register_trained(trained, contents, evaluation.iterdir(), models)


class FailsWhenPickled:
    """Stands for a disk that is full, or an interrupt, in the middle of writing."""

    def __init__(self, failure: BaseException) -> None:
        self.failure = failure

    def __reduce__(self) -> NoReturn:
        raise self.failure


def test_first_version_is_1_and_holds_artifacts_card_and_report_with_its_plots(
    tmp_path: Path,
) -> None:
    folder = register({"any": "estimator"}, CONTENTS, tmp_path / "models")
    assert folder == tmp_path / "models" / "tiny" / "1"
    assert sorted(file.name for file in folder.iterdir()) == [
        "card.json",
        "model.joblib",
        "report.md",
        "residuals.png",
        "spread.joblib",
    ]
    card = read_card(folder)
    assert (card.name, card.version) == ("tiny", "1")
    assert (
        card.artifact.sha256 == hashlib.sha256((folder / "model.joblib").read_bytes()).hexdigest()
    )
    assert joblib.load(folder / card.artifact.file) == {"any": "estimator"}
    assert card.interval is not None
    assert card.interval.artifact is not None
    assert joblib.load(folder / card.interval.artifact.file) == "spread"
    assert (card.interval.coverage, card.interval.log_scale) == (0.9, 1.1)


def test_existing_versions_are_never_touched(tmp_path: Path) -> None:
    first = register("one", CONTENTS, tmp_path)
    before = {file: file.read_bytes() for file in first.iterdir()}
    assert register("two", CONTENTS, tmp_path).name == "2"
    assert {file: file.read_bytes() for file in first.iterdir()} == before


def test_numbers_of_removed_versions_below_the_highest_are_not_used_again(tmp_path: Path) -> None:
    (tmp_path / "tiny" / "9").mkdir(parents=True)
    (tmp_path / "tiny" / "notes").mkdir()
    assert register("ten", CONTENTS, tmp_path).name == "10"


def test_trainings_at_the_same_time_get_versions_of_their_own(tmp_path: Path) -> None:
    count = 8
    barrier = threading.Barrier(count)

    def run(number: int) -> None:
        barrier.wait()
        register(number, CONTENTS, tmp_path)

    threads = [threading.Thread(target=run, args=(number,)) for number in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    folders = [each for each in (tmp_path / "tiny").iterdir() if each.is_dir()]
    assert {folder.name for folder in folders} == {str(number + 1) for number in range(count)}
    assert {read_card(folder).version for folder in folders} == {folder.name for folder in folders}
    assert {joblib.load(folder / "model.joblib") for folder in folders} == set(range(count))


def test_version_is_found_by_all_that_its_card_says(tmp_path: Path) -> None:
    other = CONTENTS | {"metrics": {"r2": 0.6}}
    folders = [register("an estimator", each, tmp_path) for each in (CONTENTS, other)]
    (tmp_path / "tiny/3").mkdir()  # has no card
    assert [find_registered(each, tmp_path) for each in (CONTENTS, other)] == folders
    assert find_registered(CONTENTS | {"metrics": {"r2": 0.7}}, tmp_path) is None


def test_nothing_is_left_when_the_disk_is_full(tmp_path: Path) -> None:
    full = OSError(errno.ENOSPC, "No space left on device")
    with pytest.raises(TrainingError, match="No space left on device"):
        register(FailsWhenPickled(full), CONTENTS, tmp_path)
    assert list((tmp_path / "tiny").iterdir()) == []


def test_nothing_is_left_when_interrupted(tmp_path: Path) -> None:
    with pytest.raises(KeyboardInterrupt):
        register(FailsWhenPickled(KeyboardInterrupt()), CONTENTS, tmp_path)
    assert list((tmp_path / "tiny").iterdir()) == []


def test_folder_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "models").touch()
    with pytest.raises(TrainingError, match=r"cannot write a version under .*models"):
        register("one", CONTENTS, tmp_path / "models")


def test_first_version_is_served_and_later_ones_are_not_by_themselves(tmp_path: Path) -> None:
    for number in range(2):
        register(number, CONTENTS, tmp_path)
    alias = read_alias(tmp_path / "tiny")
    assert alias is not None
    assert alias.champion == "1"
    assert [entry.action for entry in alias.history] == ["register"]
