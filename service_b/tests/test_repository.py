import os
import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from sklearn.linear_model import Ridge

from predictor.errors import ModelRefused, ModelUnavailable
from predictor.repository import ModelRepository

WriteVersion = Callable[..., Path]


class FakeEstimator:
    """Predicts what it is told."""

    def __init__(self, *prices: float) -> None:
        self.prices = prices

    def predict(self, _: npt.NDArray[np.object_]) -> npt.NDArray[np.float64]:
        return np.array(self.prices)


class Trap:
    """Makes a folder when it is unpickled."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def __reduce__(self) -> Any:
        return os.mkdir, (str(self.folder),)


@pytest.fixture
def repository(models_folder: Path) -> ModelRepository:
    return ModelRepository(models_folder)


def refuse(repository: ModelRepository, folder: Path) -> str:
    with pytest.raises(ModelRefused) as caught:
        repository.load(folder)
    return str(caught.value)


def test_version_is_loaded_and_predicts(
    repository: ModelRepository, write_version: WriteVersion, house: dict[str, Any]
) -> None:
    model = repository.load(write_version())
    (prediction,) = model.predict([model.input_type.model_validate(house)])
    assert 80_000 < prediction.price < 130_000


def test_latest_version_is_the_highest_number(
    repository: ModelRepository, write_version: WriteVersion
) -> None:
    for version in ("9", "10", "1"):
        write_version(version)
    assert repository.find_latest("tiny").name == "10"


def test_folders_that_are_no_versions_are_passed_over(
    repository: ModelRepository, write_version: WriteVersion, models_folder: Path
) -> None:
    write_version("1")
    for name in ("2.0", "2-draft", "latest", ".3"):
        (models_folder / "tiny" / name).mkdir()
    assert repository.find_latest("tiny").name == "1"


def test_file_named_like_a_version_is_passed_over(
    repository: ModelRepository, write_version: WriteVersion, models_folder: Path
) -> None:
    write_version("1")
    (models_folder / "tiny" / "2").touch()
    assert repository.find_latest("tiny").name == "1"


def test_model_is_unavailable_when_it_has_no_version(
    repository: ModelRepository, models_folder: Path
) -> None:
    (models_folder / "tiny").mkdir()
    for name in ("tiny", "other"):
        with pytest.raises(ModelUnavailable, match=name):
            repository.find_latest(name)


def test_artifact_is_never_unpickled_when_its_sha256_is_wrong(
    repository: ModelRepository, write_version: WriteVersion, tmp_path: Path
) -> None:
    folder = write_version()
    (folder / "model.joblib").write_bytes(pickle.dumps(Trap(tmp_path / "sprung")))
    assert "sha256 is" in refuse(repository, folder)
    assert not (tmp_path / "sprung").exists()


@pytest.mark.parametrize(
    ("library", "wanted", "installed"),
    [("scikit-learn", "0.1.0", "installed is 1."), ("no-such-library", "1.0", "installed is none")],
)
def test_artifact_is_never_unpickled_when_a_library_differs(
    repository: ModelRepository,
    write_version: WriteVersion,
    tmp_path: Path,
    library: str,
    wanted: str,
    installed: str,
) -> None:
    trap = pickle.dumps(Trap(tmp_path / "sprung"))
    folder = write_version(pickle=trap, libraries={library: wanted})
    reason = refuse(repository, folder)
    assert f"was trained with {library} {wanted}" in reason
    assert installed in reason
    assert not (tmp_path / "sprung").exists()


def test_trap_springs_when_everything_is_right(
    repository: ModelRepository, write_version: WriteVersion, tmp_path: Path
) -> None:
    """The two tests above would prove nothing if the trap didn't work."""
    refuse(repository, write_version(pickle=pickle.dumps(Trap(tmp_path / "sprung"))))
    assert (tmp_path / "sprung").exists()


def test_version_is_loaded_when_a_library_differs_in_its_last_number_only(
    repository: ModelRepository, write_version: WriteVersion
) -> None:
    major, minor, _ = np.__version__.split(".")
    repository.load(write_version(libraries={"numpy": f"{major}.{minor}.99"}))


def test_version_is_refused_when_its_artifact_is_missing(
    repository: ModelRepository, write_version: WriteVersion
) -> None:
    folder = write_version()
    (folder / "model.joblib").unlink()
    assert refuse(repository, folder).endswith("model.joblib: No such file or directory")


@pytest.mark.parametrize("file", ["..", "."])
def test_version_is_refused_when_its_artifact_is_a_folder(
    repository: ModelRepository, write_version: WriteVersion, file: str
) -> None:
    folder = write_version(artifact={"file": file, "sha256": "0" * 64})
    assert refuse(repository, folder).endswith("Is a directory")


@pytest.mark.parametrize(("model", "version"), [("tiny", "7"), ("other", "1")])
def test_version_is_refused_when_its_card_is_of_another(
    repository: ModelRepository,
    write_version: WriteVersion,
    models_folder: Path,
    model: str,
    version: str,
) -> None:
    moved = models_folder / model / version
    moved.parent.mkdir(exist_ok=True)
    write_version().rename(moved)
    assert refuse(repository, moved).endswith("the card is of tiny version 1")


def test_version_is_refused_when_its_card_is_missing(
    repository: ModelRepository, write_version: WriteVersion
) -> None:
    folder = write_version()
    (folder / "card.json").unlink()
    assert refuse(repository, folder).endswith("card.json: No such file or directory")


@pytest.mark.parametrize("size", [0, 1, 100, 1000, -1])
def test_version_is_refused_when_its_pickle_is_truncated(
    repository: ModelRepository, write_version: WriteVersion, artifact: bytes, size: int
) -> None:
    refuse(repository, write_version(pickle=artifact[:size]))


@pytest.mark.parametrize(
    "content",
    [
        b"not a pickle",
        b"\x80\x05\x95\xff\xff\xff\xff\xff\xff\xff\x7f.",  # a frame of 2**63 bytes
        b"cno_such_module\nEstimator\n.",
        b"cbuiltins\nno_such_class\n.",
        b"cbuiltins\nint\n(S'x'\ntR.",  # int('x')
        b"x\x9c",  # the start of zlib
    ],
)
def test_version_is_refused_when_its_artifact_is_no_pickle(
    repository: ModelRepository, write_version: WriteVersion, content: bytes
) -> None:
    refuse(repository, write_version(pickle=content))


@pytest.mark.parametrize(
    "estimator",
    [
        {"not": "an estimator"},
        Ridge(),  # not fitted
        FakeEstimator(),
        FakeEstimator(1.0, 2.0),
        FakeEstimator(float("nan")),
        FakeEstimator(float("inf")),
        FakeEstimator(0.0),
        FakeEstimator(-1.0),
    ],
    ids=repr,
)
def test_version_is_refused_when_its_estimator_fails_on_the_example(
    repository: ModelRepository, write_version: WriteVersion, estimator: object
) -> None:
    reason = refuse(repository, write_version(pickle=pickle.dumps(estimator)))
    assert "fails on the card's example" in reason


def test_version_is_refused_when_its_example_is_no_valid_input(
    repository: ModelRepository, write_version: WriteVersion
) -> None:
    reason = refuse(repository, write_version(example={"first_flr_sf": 896}))
    assert "fails on the card's example" in reason


def test_version_is_refused_when_a_feature_can_not_be_a_field(
    repository: ModelRepository, write_version: WriteVersion, card_content: dict[str, Any]
) -> None:
    card_content["features"][-1]["name"] = "model_config"
    refuse(repository, write_version(features=card_content["features"]))
