"""A tiny real model, trained once, and the service with it."""

import copy
import hashlib
import logging
import os
import signal
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from importlib.metadata import version as find_version
from io import BytesIO
from pathlib import Path
from typing import Any

import joblib
import numpy as np
import pytest
from fastapi.testclient import TestClient
from hypothesis import settings as hypothesis_settings
from sklearn.compose import ColumnTransformer, TransformedTargetRegressor
from sklearn.impute import SimpleImputer
from sklearn.linear_model import Ridge
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder

from predictor.app import create_app
from predictor.card import ModelCard, read_card
from predictor.settings import SERVICE_FOLDER, Settings
from predictor.telemetry.log_lines import LineFormatter
from predictor.typicality import write_arrays
from predictor.versions.repository import ModelRepository
from training.typicality import fit_typicality

# The tests begin without what a developer has in .env.
os.environ["LAB_ENV_FILE"] = os.devnull

# On a busy machine an example may take long; that says nothing of the code. In CI there are more.
hypothesis_settings.register_profile(
    "busy machine",
    hypothesis_settings.default,
    deadline=None,
    max_examples=100 if os.environ.get("CI") else 25,
)
hypothesis_settings.load_profile("busy machine")

# One feature of every kind that a card has, required, nullable and neither.
FEATURES: list[dict[str, Any]] = [
    {
        "name": "id",
        "column": "Id",
        "kind": "identifier",
        "minimum": 0,
        "maximum": 2**53 - 1,
        "meaning": "The caller's own number.",
    },
    {
        "name": "first_flr_sf",
        "column": "1stFlrSF",
        "kind": "number",
        "unit": "sq ft",
        "minimum": 300,
        "maximum": 5000,
        "required": True,
        "meaning": "Area of the first floor.",
    },
    {
        "name": "overall_qual",
        "column": "OverallQual",
        "kind": "integer",
        "minimum": 1,
        "maximum": 10,
        "required": True,
        "meaning": "Material and finish.",
    },
    {
        "name": "neighborhood",
        "column": "Neighborhood",
        "kind": "category",
        "categories": ["NAmes", "Veenker", "C (all)", "2fmCon"],
        "required": True,
        "meaning": "Part of the town.",
    },
    {
        "name": "ms_sub_class",
        "column": "MSSubClass",
        "kind": "category",
        "categories": [20, 60, 120],
        "meaning": "Type of dwelling.",
    },
    {
        "name": "pool_qc",
        "column": "PoolQC",
        "kind": "category",
        "categories": ["Ex", "Gd", "NA"],
        "nullable": True,
        "none": "NA",
        "meaning": "Quality of the pool.",
    },
    {
        "name": "garage_yr_blt",
        "column": "GarageYrBlt",
        "kind": "integer",
        "minimum": 1870,
        "maximum": 2030,
        "nullable": True,
        "meaning": "Year of the garage.",
    },
    {
        "name": "lot_frontage",
        "column": "LotFrontage",
        "kind": "number",
        "unit": "ft",
        "minimum": 10,
        "maximum": 400,
        "meaning": "Length of the lot along the street.",
    },
]

HOUSE: dict[str, Any] = {
    "id": 1461,
    "first_flr_sf": 896,
    "overall_qual": 5,
    "neighborhood": "NAmes",
    "ms_sub_class": 20,
    "pool_qc": None,
    "garage_yr_blt": 1961,
    "lot_frontage": 80.5,
}

# In the order of the features, without the identifier; then the price.
SALES: list[tuple[Any, ...]] = [
    (600, 3, "C (all)", 20, "NA", np.nan, 50, 60_000),
    (896, 5, "NAmes", 20, "NA", 1961, 80, 105_000),
    (1050, 5, "2fmCon", 120, "NA", 1950, 60, 118_000),
    (1329, 6, "NAmes", 20, "Gd", 1958, 81, 172_000),
    (1500, 7, "Veenker", 60, "NA", 1998, 43, 235_000),
    (2110, 7, "NAmes", 60, "NA", 1968, 93, 244_000),
    (1700, 8, "Veenker", 120, "Gd", 2001, np.nan, 290_000),
    (2600, 9, "Veenker", 60, "Ex", 2006, 110, 480_000),
]


def pytest_configure() -> None:
    """Have Ctrl-C end what the tests start, though a shell in the background would ignore it."""
    signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(scope="session")
def artifact() -> bytes:
    """The pickled pipeline."""
    return train()


@pytest.fixture(scope="session")
def dear_artifact() -> bytes:
    """A pickled pipeline that asks twice the price."""
    return train(price_factor=2)


def train(price_factor: float = 1) -> bytes:
    rows = np.array([sale[:-1] for sale in SALES], dtype=object)
    columns = ColumnTransformer(
        [
            ("numbers", SimpleImputer(), [0, 1, 5, 6]),
            ("categories", OneHotEncoder(handle_unknown="ignore"), [2, 3, 4]),
        ]
    )
    estimator = TransformedTargetRegressor(
        make_pipeline(columns, Ridge()), func=np.log, inverse_func=np.exp
    )
    estimator.fit(rows, price_factor * np.array([sale[-1] for sale in SALES], dtype=float))
    file = BytesIO()
    joblib.dump(estimator, file)
    return file.getvalue()


@pytest.fixture
def card_content(artifact: bytes) -> dict[str, Any]:
    """A card as `card.json` holds it, for a test to change."""
    return copy.deepcopy(describe_model(artifact))


def describe_model(artifact: bytes) -> dict[str, Any]:
    return {
        "name": "tiny",
        "version": "1",
        "title": "Tiny houses",
        "description": "Sale price of a house, learned from eight.",
        "target": {"name": "price", "column": "SalePrice", "unit": "USD", "meaning": "Price."},
        "features": FEATURES,
        "interval": {"coverage": 0.9, "log_half_width": 0.1},
        "metrics": {"r2": 0.9},
        "training": {
            "data_file": "sales.txt",
            "data_url": "https://example.org/sales.txt",
            "data_sha256": "0" * 64,
            "rows": len(SALES),
            "seed": 42,
            "parameters": {"alpha": 1.0},
            "code_revision": "unknown",
            "trained_at": datetime(2025, 1, 1, tzinfo=UTC).isoformat(),
        },
        "libraries": {name: find_version(name) for name in ("scikit-learn", "numpy", "joblib")},
        "artifact": {"file": "model.joblib", "sha256": hashlib.sha256(artifact).hexdigest()},
        "example": HOUSE,
    }


@pytest.fixture
def card(card_content: dict[str, Any]) -> ModelCard:
    return ModelCard.model_validate(card_content)


@pytest.fixture
def house() -> dict[str, Any]:
    """A valid input, for a test to change."""
    return dict(HOUSE)


WriteVersion = Callable[..., Path]


@pytest.fixture
def models_folder(tmp_path: Path) -> Path:
    """An empty folder for models."""
    folder = tmp_path / "models"
    folder.mkdir()
    return folder


@pytest.fixture
def write_version(models_folder: Path, artifact: bytes) -> WriteVersion:
    """Writes a version of `tiny` into `models_folder`, with another pickle or a changed card."""

    def write(version: str = "1", *, pickle: bytes = artifact, **changes: Any) -> Path:
        card = ModelCard.model_validate(describe_model(pickle) | {"version": version} | changes)
        folder = models_folder / "tiny" / version
        folder.mkdir(parents=True)
        (folder / "card.json").write_text(card.model_dump_json(), encoding="utf-8")
        (folder / "model.joblib").write_bytes(pickle)
        return folder

    return write


@pytest.fixture
def write_typical(write_version: WriteVersion) -> WriteVersion:
    """Writes a version of `tiny` that says how unusual an input is, with another file or card."""

    def write(version: str = "1", *, content: bytes | None = None, **changes: Any) -> Path:
        if content is None:
            rows = np.array([sale[:-1] for sale in 25 * SALES], dtype=object)
            inputs = ModelCard.model_validate(describe_model(b"")).inputs
            arrays, _ = fit_typicality(inputs, rows, None, 0, seed=0)
            content = write_arrays(arrays)
        artifact = {"file": "typical.npz", "sha256": hashlib.sha256(content).hexdigest()}
        widening = [{"typical": 0.01, "factor": 3}, {"typical": 0.1, "factor": 1}]
        typical = {"artifact": artifact, "warn_below": 0.1, "widening": widening}
        folder = write_version(version, typical=typical, **changes)
        (folder / "typical.npz").write_bytes(content)
        return folder

    return write


@pytest.fixture
def settings(models_folder: Path) -> Settings:
    """Settings to serve `tiny` alone; it is looked for when the service starts and when asked."""
    file = models_folder.parent / "models.yaml"
    file.write_text("models: [{name: tiny, default: true, sources: [models/tiny]}]")
    return Settings(models=file, watch_seconds=3600)


@pytest.fixture(autouse=True)
def silence_application() -> Iterator[None]:
    """Take the application's log handler, bound to this test's stdout, away again."""
    yield
    root = logging.getLogger()
    for handler in root.handlers[:]:
        if isinstance(handler.formatter, LineFormatter):
            root.removeHandler(handler)


@pytest.fixture
def client(settings: Settings, write_version: WriteVersion) -> Iterator[TestClient]:
    """The service with the tiny model."""
    write_version()
    with TestClient(create_app(settings)) as client:
        yield client


@pytest.fixture
def empty_client(settings: Settings) -> Iterator[TestClient]:
    """The service without a model."""
    with TestClient(create_app(settings)) as client:
        yield client


@pytest.fixture(scope="session")
def ames_card() -> ModelCard:
    """The card of the model that ships."""
    folder = SERVICE_FOLDER / "models" / "ames"
    return read_card(folder / ModelRepository(str(folder)).find().number)


@pytest.fixture(scope="session")
def ames_client() -> Iterator[TestClient]:
    """The service with the model that ships."""
    with TestClient(create_app(Settings())) as client:
        yield client
