import gc
import hashlib
import math
import os
import pickle
from collections.abc import Callable
from io import BytesIO
from pathlib import Path
from threading import Thread
from typing import Any
from weakref import ref

import joblib
import numpy as np
import pytest
from fsspec.implementations.local import LocalFileSystem  # type: ignore[import-untyped]
from sklearn.compose import ColumnTransformer
from sklearn.dummy import DummyRegressor
from sklearn.impute import SimpleImputer
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder
from sklearn.tree import DecisionTreeRegressor

from predictor.card import ModelCard, read_card
from predictor.errors import ModelRefused
from predictor.fast_path.plan import FastPath
from predictor.inference import registered_model
from predictor.inference.card_model import CardModel
from predictor.inference.pipelines import Pipelines
from predictor.inference.registered_model import load_registered
from predictor.settings import SERVICE_FOLDER
from predictor.typicality import read_arrays, write_arrays
from predictor.version import Folder
from tests.conftest import SALES
from training.typicality import fit_typicality

WriteVersion = Callable[..., Path]

# As one that the model has learnt from; and a lot longer than all.
USUAL, STRANGE = {"lot_frontage": 80}, {"lot_frontage": 400}


class Trap:
    """Makes a folder when it is unpickled."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def __reduce__(self) -> Any:
        return os.mkdir, (str(self.folder),)


def load(folder: Path, *, fast_path: bool = True) -> CardModel:
    files = Folder(LocalFileSystem(), str(folder), folder.name)
    return load_registered(folder.parent.name, files, fast_path=fast_path)


def train_strict() -> bytes:
    """Train a pipeline that takes no category it has not seen, and no number beyond float32."""
    rows = np.array([sale[:-1] for sale in SALES], dtype=object)
    columns = ColumnTransformer(
        [("numbers", SimpleImputer(), [0, 1, 5, 6]), ("categories", OneHotEncoder(), [2])]
    )
    estimator = make_pipeline(columns, DecisionTreeRegressor())
    file = BytesIO()
    joblib.dump(estimator.fit(rows, [sale[-1] for sale in SALES]), file)
    return file.getvalue()


def refuse(folder: Path) -> str:
    with pytest.raises(ModelRefused) as caught:
        load(folder)
    return str(caught.value)


def test_version_is_loaded_and_predicts(write_version: WriteVersion, house: dict[str, Any]) -> None:
    model = load(write_version())
    (prediction,) = model.predict([model.input_type.model_validate(house)])
    assert 80_000 < prediction.price < 130_000


def test_loads_take_turns(write_version: WriteVersion) -> None:
    loaded: list[CardModel] = []
    thread = Thread(target=lambda: loaded.append(load(folder)))
    folder = write_version()
    with registered_model._turn:  # another one is being loaded
        thread.start()
        thread.join(0.2)
        assert thread.is_alive()
    thread.join()
    assert [each.name for each in loaded] == ["tiny"]


def test_load_that_hangs_holds_up_no_other(
    monkeypatch: pytest.MonkeyPatch, write_version: WriteVersion
) -> None:
    monkeypatch.setattr(registered_model, "_TURN_SECONDS", 0)
    with registered_model._turn:
        assert load(write_version()).name == "tiny"
        assert registered_model._turn.locked()


def test_model_that_is_replaced_leaves_its_memory_without_the_collector(
    ames_card: ModelCard,
) -> None:
    """What exists when the service has started is never looked at by it."""
    gc.collect()
    gc.disable()
    try:
        model = load(SERVICE_FOLDER / "models/ames" / ames_card.version)
        assert gc.collect() < 1000  # of hundreds of thousands of objects
        assert isinstance(model.evaluation, FastPath)
        parts = [ref(each) for each in (model, model.evaluation, model.evaluation._forest)]
        del model
        assert [each() for each in parts] == [None] * 3
    finally:
        gc.enable()


def test_artifact_is_never_unpickled_when_its_sha256_is_wrong(
    write_version: WriteVersion, tmp_path: Path
) -> None:
    folder = write_version()
    (folder / "model.joblib").write_bytes(pickle.dumps(Trap(tmp_path / "sprung")))
    assert "sha256 is" in refuse(folder)
    assert not (tmp_path / "sprung").exists()


@pytest.mark.parametrize(
    ("library", "wanted", "installed"),
    [("scikit-learn", "0.1.0", "installed is 1."), ("no-such-library", "1.0", "installed is none")],
)
def test_artifact_is_never_unpickled_when_a_library_differs(
    write_version: WriteVersion,
    tmp_path: Path,
    library: str,
    wanted: str,
    installed: str,
) -> None:
    trap = pickle.dumps(Trap(tmp_path / "sprung"))
    folder = write_version(pickle=trap, libraries={library: wanted})
    reason = refuse(folder)
    assert f"was trained with {library} {wanted}" in reason
    assert installed in reason
    assert not (tmp_path / "sprung").exists()


def test_trap_springs_when_everything_is_right(write_version: WriteVersion, tmp_path: Path) -> None:
    """The two tests above would prove nothing if the trap didn't work."""
    refuse(write_version(pickle=pickle.dumps(Trap(tmp_path / "sprung"))))
    assert (tmp_path / "sprung").exists()


def test_version_is_loaded_when_a_library_differs_in_its_last_number_only(
    write_version: WriteVersion,
) -> None:
    major, minor, _ = np.__version__.split(".")
    load(write_version(libraries={"numpy": f"{major}.{minor}.99"}))


def test_version_is_refused_when_its_artifact_is_missing(write_version: WriteVersion) -> None:
    folder = write_version()
    (folder / "model.joblib").unlink()
    assert refuse(folder).endswith("model.joblib: No such file or directory")


@pytest.mark.parametrize("file", ["..", "."])
def test_version_is_refused_when_its_artifact_is_a_folder(
    write_version: WriteVersion, file: str
) -> None:
    folder = write_version(artifact={"file": file, "sha256": "0" * 64})
    assert refuse(folder).endswith("Is a directory")


@pytest.mark.parametrize(("model", "version"), [("tiny", "7"), ("other", "1")])
def test_version_is_refused_when_its_card_is_of_another(
    write_version: WriteVersion,
    models_folder: Path,
    model: str,
    version: str,
) -> None:
    moved = models_folder / model / version
    moved.parent.mkdir(exist_ok=True)
    write_version().rename(moved)
    assert refuse(moved).endswith("the card is of tiny version 1")


def test_version_is_refused_when_its_card_is_missing(write_version: WriteVersion) -> None:
    folder = write_version()
    (folder / "card.json").unlink()
    assert refuse(folder).endswith("card.json: No such file or directory")


@pytest.mark.parametrize("size", [0, 1, 100, 1000, -1])
def test_version_is_refused_when_its_pickle_is_truncated(
    write_version: WriteVersion, artifact: bytes, size: int
) -> None:
    refuse(write_version(pickle=artifact[:size]))


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
    write_version: WriteVersion, content: bytes
) -> None:
    refuse(write_version(pickle=content))


def test_version_is_refused_when_a_golden_prediction_does_not_come_out(
    write_version: WriteVersion, house: dict[str, Any]
) -> None:
    good = load(write_version("1"))
    price = good.predict([good.input_type.model_validate(house)])[0].price
    load(write_version("2", golden=[{"input": house, "price": price}]))
    golden = [{"input": house, "price": price}, {"input": house, "price": price * 1.0001}]
    reason = refuse(write_version("3", golden=golden))
    assert f"golden prediction 2 is {price}" in reason


def test_version_is_refused_when_a_golden_input_is_not_valid(write_version: WriteVersion) -> None:
    reason = refuse(write_version(golden=[{"input": {}, "price": 1.0}]))
    assert "fails on its golden inputs" in reason


@pytest.mark.parametrize(
    ("changes", "place"),
    [
        ({"categories": ["NAmes", "Veenker", "C (all)", "2fmCon", "Moon"]}, "neighborhood 'Moon'"),
        ({"nullable": True}, "neighborhood None"),
        ({"required": False}, "the required fields alone"),
        ({"name": "lot_frontage", "maximum": 1e300}, "lot_frontage 1e+300"),
    ],
)
def test_version_is_refused_when_it_fails_on_what_its_card_allows(
    write_version: WriteVersion, card_content: dict[str, Any], changes: dict[str, Any], place: str
) -> None:
    features = card_content["features"]
    feature = next(each for each in features if each["name"] == changes.get("name", "neighborhood"))
    feature.update(changes)

    reason = refuse(write_version(pickle=train_strict(), features=features))

    assert f"fails on {place}: " in reason


def test_spread_is_checked_like_the_estimator_before_it_is_loaded(
    write_version: WriteVersion, house: dict[str, Any]
) -> None:
    file = BytesIO()
    joblib.dump(DummyRegressor(strategy="constant", constant=0.1).fit([[0]], [0]), file)
    artifact = {
        "file": "spread.joblib",
        "sha256": hashlib.sha256(file.getvalue()).hexdigest(),
    }
    folder = write_version(interval={"coverage": 0.9, "log_scale": 2.0, "artifact": artifact})
    (folder / "spread.joblib").write_bytes(file.getvalue())

    model = load(folder)
    (prediction,) = model.predict([model.input_type.model_validate(house)])
    assert prediction.interval is not None
    assert prediction.interval.upper == pytest.approx(prediction.price * math.exp(0.2), rel=1e-4)

    (folder / "spread.joblib").write_bytes(file.getvalue() + b" ")
    assert "spread.joblib: sha256 is" in refuse(folder)


def test_version_with_tables_says_how_unusual_an_input_is(
    write_typical: WriteVersion, write_version: WriteVersion, house: dict[str, Any]
) -> None:
    model, plain = load(write_typical("1")), load(write_version("2"))
    houses = [model.input_type.model_validate(each) for each in (house | USUAL, house | STRANGE)]
    usual, strange = model.predict(houses)
    assert (usual.typical or 0) > 0.1 > (strange.typical or 1)
    assert usual.warnings == ()
    (warning,) = strange.warnings
    assert "lot_frontage" in warning.fields
    for found, before, factor in zip((usual, strange), plain.predict(houses), (1, 3), strict=True):
        assert (found.price, before.typical, before.warnings) == (before.price, None, ())
        width = math.log(found.interval.upper / found.price)  # type: ignore[union-attr]
        assert width == pytest.approx(factor * 0.1, abs=1e-9)


def test_version_is_refused_when_its_tables_are_not_those_of_the_card(
    write_typical: WriteVersion,
) -> None:
    folder = write_typical("1")
    (folder / "typical.npz").write_bytes(b"other tables")
    assert "typical.npz: sha256 is" in refuse(folder)
    assert "can't be read as arrays" in refuse(write_typical("2", content=b"no tables"))


def test_version_is_refused_when_its_tables_are_of_other_inputs(
    write_typical: WriteVersion,
) -> None:
    rows = np.array([[1.0, 2.0]] * 10, dtype=object)
    features = read_card(write_typical("1")).inputs[:2]
    arrays, _ = fit_typicality(features, rows, None, 0, seed=0)
    reason = refuse(write_typical("2", content=write_arrays(arrays)))
    assert "2 columns, the card has 7" in reason


def test_version_is_refused_when_its_tables_have_what_is_no_number(
    write_typical: WriteVersion,
) -> None:
    arrays = read_arrays((write_typical("1") / "typical.npz").read_bytes(), 7)
    levels = np.full_like(arrays.levels, math.nan)
    reason = refuse(write_typical("2", content=write_arrays(arrays._replace(levels=levels))))
    assert "numbers that are not finite" in reason


@pytest.mark.parametrize(("fast_path", "evaluation"), [(True, FastPath), (False, Pipelines)])
def test_version_is_evaluated_by_its_pipelines_when_the_fast_path_is_not_wanted(
    fast_path: bool, evaluation: type
) -> None:
    model = load(SERVICE_FOLDER / "models" / "california" / "1", fast_path=fast_path)
    assert type(model.evaluation) is evaluation
    assert bool(model.quick_batch) is fast_path
