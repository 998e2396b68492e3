import logging
from collections.abc import Callable
from pathlib import Path

import pytest

from predictor.errors import ModelUnavailable
from predictor.registry import ModelRegistry
from predictor.repository import ModelRepository


@pytest.fixture
def registry(models_folder: Path) -> ModelRegistry:
    return ModelRegistry(ModelRepository(models_folder), "tiny")


def test_nothing_is_available_before_the_first_load(registry: ModelRegistry) -> None:
    with pytest.raises(ModelUnavailable, match="tiny is not loaded"):
        _ = registry.default


def test_latest_version_answers_after_a_load(
    registry: ModelRegistry, write_version: Callable[..., Path]
) -> None:
    for version in ("9", "10"):
        write_version(version)
    registry.load()
    assert registry.default.card.version == "10"


def test_missing_model_is_logged_and_not_served(
    registry: ModelRegistry, caplog: pytest.LogCaptureFixture
) -> None:
    registry.load()
    (record,) = caplog.records
    assert (record.levelno, record.getMessage()) == (logging.ERROR, "model is not available")
    assert "no version of tiny" in vars(record)["fields"]["reason"]
    with pytest.raises(ModelUnavailable):
        _ = registry.default


def test_refused_version_is_logged_with_its_reason_and_not_served(
    registry: ModelRegistry,
    write_version: Callable[..., Path],
    caplog: pytest.LogCaptureFixture,
) -> None:
    (write_version() / "model.joblib").write_bytes(b"other bytes")
    registry.load()
    (record,) = caplog.records
    assert "sha256 is" in vars(record)["fields"]["reason"]
    with pytest.raises(ModelUnavailable):
        _ = registry.default


def test_old_version_goes_on_when_a_newer_one_is_refused(
    registry: ModelRegistry, write_version: Callable[..., Path]
) -> None:
    write_version("1")
    registry.load()
    (write_version("2") / "model.joblib").unlink()
    registry.load()
    assert registry.default.card.version == "1"
