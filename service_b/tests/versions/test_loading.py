import logging
import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from fsspec.implementations.local import LocalFileSystem  # type: ignore[import-untyped]
from sklearn.linear_model import Ridge

from predictor.errors import ManifestError, ModelRefused
from predictor.inference.hooks import HookedModel
from predictor.inference.served_model import ServedModel
from predictor.settings import SERVICE_FOLDER
from predictor.version import Folder
from predictor.versions.loading import build_loader
from predictor.versions.manifest import ModelEntry
from tests.inference.test_python_model import Doubler

WriteVersion = Callable[..., Path]


class FakeEstimator:
    """Gives prices that were set."""

    def __init__(self, *prices: float) -> None:
        self.prices = prices

    def predict(self, _: npt.NDArray[np.object_]) -> npt.NDArray[np.float64]:
        return np.array(self.prices)


class Unlike(Doubler):
    example = {"value": "many"}  # noqa: RUF012


class Leaving(Doubler):
    def __init__(self) -> None:
        raise SystemExit("no licence")


def double_again(value: Any) -> Any:
    return value.model_copy(update={"value": 2 * value.value})


def load(folder: Path, *, fast_path: bool = True) -> ServedModel:
    entry = ModelEntry(name=folder.parent.name, sources=["models"])
    files = Folder(LocalFileSystem(), str(folder), folder.name)
    return build_loader(entry, fast_path=fast_path)(files)


def load_class(class_name: str, **keys: Any) -> ServedModel:
    entry = ModelEntry(
        name="double", class_path=f"tests.versions.test_loading.{class_name}", **keys
    )
    return build_loader(entry)(None)


def refuse(folder: Path) -> str:
    with pytest.raises(ModelRefused) as caught:
        load(folder)
    return str(caught.value)


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
    ids=["no-estimator", "not-fitted", "none", "two", "nan", "inf", "zero", "negative"],
)
def test_version_is_refused_when_its_estimator_fails_on_the_example(
    write_version: WriteVersion, estimator: object
) -> None:
    reason = refuse(write_version(pickle=pickle.dumps(estimator)))
    assert "fails on its example" in reason


def test_version_is_refused_when_its_example_is_no_valid_input(write_version: WriteVersion) -> None:
    reason = refuse(write_version(example={"first_flr_sf": 896}))
    assert "fails on its example" in reason


def test_version_is_refused_when_a_feature_can_not_be_a_field(
    write_version: WriteVersion, card_content: dict[str, Any]
) -> None:
    card_content["features"][-1]["name"] = "model_config"
    refuse(write_version(features=card_content["features"]))


def test_model_with_a_card_is_refused_when_it_has_no_files() -> None:
    with pytest.raises(ModelRefused, match="tiny: has no files"):
        build_loader(ModelEntry(name="tiny", sources=["models"]))(None)


@pytest.mark.parametrize(
    ("class_name", "reason"),
    [
        ("Leaving", "wants to end the process: .*no licence"),
        ("Unlike", "(?s)fails on its example: .*valid number"),
    ],
)
def test_class_is_refused_when_it_does_not_bear_a_trial(class_name: str, reason: str) -> None:
    with pytest.raises(ModelRefused, match=reason):
        load_class(class_name)


def test_model_has_the_hooks_of_its_entry() -> None:
    hook = "tests.versions.test_loading.double_again"
    model = load_class("Doubler", parameters={"factor": 3}, before=hook)
    (prediction,) = model.predict([model.input_type.model_validate({"value": 5})])
    assert prediction.model_dump()["double"] == 30  # type: ignore[union-attr]
    assert isinstance(model, HookedModel)
    assert not isinstance(load_class("Doubler"), HookedModel)


@pytest.mark.parametrize("key", ["class_path", "before", "after"])
def test_entry_is_refused_when_it_names_what_is_not_there(key: str) -> None:
    keys: dict[str, Any] = {"class_path": "tests.versions.test_loading.Doubler"}
    keys[key] = "predictor.card.missing"
    with pytest.raises(ManifestError, match="can't be imported") as caught:
        build_loader(ModelEntry(name="double", **keys))
    assert caught.value.place == (key,)


def test_model_that_ships_has_a_fast_path_unless_it_is_not_wanted(
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.INFO)
    folder = SERVICE_FOLDER / "models" / "california" / "1"
    assert load(folder).quick_batch > 0
    assert "model has a fast path" in caplog.messages
    assert load(folder, fast_path=False).quick_batch == 0
