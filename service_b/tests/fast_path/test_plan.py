"""The fast path against the pipelines, which are the truth."""

import logging
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import joblib
import numpy as np
import pytest
from fsspec.implementations.local import LocalFileSystem  # type: ignore[import-untyped]
from hypothesis import given, settings
from hypothesis import strategies as st

from predictor.card import read_card
from predictor.fast_path.plan import FastPath
from predictor.inference.evaluation import choose_evaluation
from predictor.inference.input_schema import build_input_type
from predictor.inference.pipelines import Pipelines
from predictor.inference.registered_model import load_registered
from predictor.settings import SERVICE_FOLDER
from predictor.version import Folder
from tests.conftest import WriteVersion
from tests.inference.test_evaluation import load
from tests.test_any_input import make_houses
from tests.training.test_shipped import AMES, VERSIONS, leave_to_ci, prices_all_rows, read_real
from training.features import to_request
from training.hidden_fields import hide_fields, keep_required


class Shipped:
    """A model that ships, in both ways."""

    def __init__(self, folder: Path) -> None:
        self.name = folder.parent.name
        model = load(folder, "fast_path")
        self.card = model.card
        self.input_type = model.input_type
        self.pipelines = load(folder, "pipelines").evaluation
        assert isinstance(model.evaluation, FastPath)
        self.fast_path = model.evaluation
        self.batches = st.lists(make_houses(self.card), min_size=1, max_size=20)

    def check(self, inputs: Sequence[dict[str, Any]]) -> None:
        """Both must give the same, whether the inputs come in a batch or one by one."""
        values = [self.input_type.model_validate(each) for each in inputs]
        expected = np.array(self.pipelines.evaluate(values))
        np.testing.assert_allclose(self.fast_path.evaluate(values), expected, rtol=1e-9)
        alone = [self.fast_path.evaluate([each]) for each in values[:100]]
        np.testing.assert_allclose(np.hstack(alone), expected[:, :100], rtol=1e-9)


# Elsewhere, the others give their golden prices in `inference/test_evaluation.py`.
@pytest.fixture(scope="module", params=leave_to_ci(VERSIONS))
def shipped(request: pytest.FixtureRequest) -> Shipped:
    return Shipped(request.param)


@prices_all_rows
def test_fast_path_gives_the_same_for_every_row_of_the_data(shipped: Shipped) -> None:
    real = read_real(shipped.name).data
    random = np.random.default_rng(0)
    names = [feature.name for feature in real.features]
    for rows in (
        real.inputs,
        hide_fields(real.features, real.inputs[:3000], random),
        keep_required(real.features, real.inputs[:300]),
    ):
        shipped.check(
            [to_request(shipped.card.features, dict(zip(names, row, strict=True))) for row in rows]
        )


@settings(max_examples=settings().max_examples // 5)  # each draws twenty houses
@given(data=st.data())
def test_fast_path_gives_the_same_for_any_valid_input(
    shipped: Shipped, data: st.DataObject
) -> None:
    shipped.check(data.draw(shipped.batches))


@pytest.mark.parametrize("folder", leave_to_ci(AMES))
def test_fast_path_tells_unknown_from_none(folder: Path) -> None:
    ames = Shipped(folder)
    house = dict(ames.card.example)
    nullable = [each.name for each in ames.card.features if each.none is not None]
    unknown = [{key: house[key] for key in house if key != name} for name in nullable]
    none = [house | {name: None} for name in nullable]
    spelled = [
        house | {each.name: each.none} for each in ames.card.features if each.none is not None
    ]
    ames.check([*unknown, *none, *spelled])
    values = [ames.input_type.model_validate(each) for each in (*unknown, *none, *spelled)]
    prices = ames.fast_path.evaluate(values)[0].reshape(3, -1)
    assert (prices[0] != prices[1]).any()
    assert (prices[1] == prices[2]).all()


def test_fast_path_gives_the_same_when_all_fields_are_sent_and_one_is_null(
    shipped: Shipped,
) -> None:
    house = dict(shipped.card.example)
    for each in shipped.card.features:
        value = each.categories[0] if each.categories else each.minimum
        house.setdefault(each.name, value)
    nullable = [each.name for each in shipped.card.features if each.nullable]
    shipped.check([house, *[house | {name: None} for name in nullable]])


def test_pipeline_without_a_fast_path_is_served_as_it_is(
    write_version: WriteVersion, house: dict[str, Any], caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    folder = write_version()
    model = load_registered("tiny", Folder(LocalFileSystem(), str(folder), "1"))
    assert read_lines(caplog) == [
        ("model is served by its pipeline", "it begins with ColumnTransformer")
    ]
    (prediction,) = model.predict([model.input_type.model_validate(house)])
    assert prediction.price > 0


def test_fast_path_that_gives_something_else_is_not_used(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    folder = SERVICE_FOLDER / "models" / "california" / "1"
    card = read_card(folder)
    estimator, spread = (joblib.load(folder / each.file) for each in card.artifacts)
    pipeline = estimator.regressor_
    # The fast path is made of the fitted parts, which this doesn't change.
    pipeline.predict = lambda rows: type(pipeline).predict(pipeline, rows) + 0.1
    example = build_input_type(card).model_validate(card.example)
    evaluation = choose_evaluation(card, [estimator, spread], [example])
    assert isinstance(evaluation, Pipelines)
    assert read_lines(caplog) == [
        ("model is served by its pipeline", "it doesn't give the same as the pipeline")
    ]


def read_lines(caplog: pytest.LogCaptureFixture) -> list[tuple[str, Any]]:
    return [
        (each.message, vars(each)["fields"].get("reason"))
        for each in caplog.records
        if each.name.startswith("predictor")
    ]
