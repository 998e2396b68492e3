import pytest
from sklearn.dummy import DummyRegressor

from predictor.card import ModelCard
from predictor.errors import ModelNotFound, ModelUnavailable
from predictor.inference.card_model import CardModel
from predictor.inference.pipelines import Pipelines
from predictor.versions.registry import ModelRegistry


@pytest.fixture
def registry() -> ModelRegistry:
    return ModelRegistry(["tiny", "other"], "tiny")


@pytest.fixture
def model(card: ModelCard) -> CardModel:
    return CardModel(card, Pipelines(card, [DummyRegressor()]))


def test_model_is_unavailable_before_a_version_is_put(registry: ModelRegistry) -> None:
    with pytest.raises(ModelUnavailable, match="tiny is not loaded"):
        _ = registry.default


def test_model_is_unknown_when_no_such_name_is_hosted(registry: ModelRegistry) -> None:
    with pytest.raises(ModelNotFound, match="no model 'big'; there is tiny, other"):
        registry.get("big")


def test_version_answers_after_it_is_put(registry: ModelRegistry, model: CardModel) -> None:
    registry.put(model)
    assert registry.default is registry.get("tiny") is model


def test_snapshot_does_not_change_when_a_version_is_put(
    registry: ModelRegistry, model: CardModel
) -> None:
    before = registry.loaded
    registry.put(model)
    assert (dict(before), dict(registry.loaded)) == ({}, {"tiny": model})


def test_alias_is_held_by_its_own_name_until_it_is_removed(
    registry: ModelRegistry, model: CardModel
) -> None:
    registry.put(model)
    registry.add_alias("tiny@challenger")
    with pytest.raises(ModelUnavailable):
        registry.get("tiny@challenger")
    registry.put(model, "tiny@challenger")
    assert registry.get("tiny@challenger") is model
    registry.remove_alias("tiny@challenger")
    with pytest.raises(ModelNotFound):
        registry.get("tiny@challenger")
    assert dict(registry.loaded) == {"tiny": model}


def test_champion_answers_by_its_alias_too(registry: ModelRegistry, model: CardModel) -> None:
    registry.put(model)
    assert registry.get("tiny@champion") is model
    with pytest.raises(ModelNotFound):
        registry.get("big@champion")
