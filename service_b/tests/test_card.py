import json
import re
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from predictor.card import Artifact, Interval, ModelCard, read_card
from predictor.errors import ModelRefused

ARTIFACT = {"file": "spread.joblib", "sha256": "0" * 64}
TYPICAL = {
    "artifact": ARTIFACT,
    "warn_below": 0.1,
    "widening": [{"typical": 0.1, "factor": 1}],
}


def write_card(folder: Path, content: object, encoding: str = "utf-8") -> Path:
    (folder / "card.json").write_text(json.dumps(content), encoding)
    return folder


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig"])
def test_card_is_read(tmp_path: Path, card_content: dict[str, Any], encoding: str) -> None:
    card = read_card(write_card(tmp_path, card_content, encoding))
    assert (card.name, card.version) == ("tiny", "1")
    assert len(card.features) == 8


def test_inputs_are_the_features_without_the_identifier(card: ModelCard) -> None:
    assert [feature.name for feature in card.inputs] == [
        "first_flr_sf",
        "overall_qual",
        "neighborhood",
        "ms_sub_class",
        "pool_qc",
        "garage_yr_blt",
        "lot_frontage",
    ]


def test_card_is_refused_when_there_is_none(tmp_path: Path) -> None:
    with pytest.raises(ModelRefused, match=r"card\.json: No such file"):
        read_card(tmp_path)


@pytest.mark.parametrize("text", ["", "{", "[]", "null", '{"name": "tiny"}', "\xff", "NaN"])
def test_card_is_refused_when_it_is_malformed(tmp_path: Path, text: str) -> None:
    (tmp_path / "card.json").write_text(text, encoding="latin-1")
    with pytest.raises(ModelRefused, match=r"card\.json: "):
        read_card(tmp_path)


@pytest.mark.parametrize(
    ("change", "place"),
    [
        ({"name": "../tiny"}, "name"),
        ({"version": "1.0"}, "version"),
        ({"features": []}, "features"),
        ({"interval": {"coverage": 1.5, "log_half_width": 0.1}}, "interval.coverage"),
        ({"interval": {"coverage": 0.9, "log_half_width": 0}}, "interval.log_half_width"),
        ({"interval": {"coverage": 0.9, "log_half_width": 700}}, "interval.log_half_width"),
        ({"interval": {"coverage": 0.9, "log_scale": float("inf")}}, "interval.log_scale"),
        (
            {"typical": TYPICAL | {"widening": [{"typical": 0, "factor": 1e9}]}},
            "typical.widening.0.factor",
        ),
        ({"typical": TYPICAL | {"place": ["id"], "distances": [0, 1]}}, "card"),
        (
            {"typical": TYPICAL | {"place": ["lot_frontage"], "distances": [-1, 1]}},
            "typical.distances.0",
        ),
        ({"artifact": {"file": "../model.joblib", "sha256": "0" * 64}}, "artifact.file"),
        ({"artifact": {"file": "/model.joblib", "sha256": "0" * 64}}, "artifact.file"),
        ({"artifact": {"file": "a\\b.joblib", "sha256": "0" * 64}}, "artifact.file"),
        ({"artifact": {"file": "model.joblib\n", "sha256": "0" * 64}}, "artifact.file"),
        ({"artifact": {"file": "model.joblib", "sha256": "0" * 63}}, "artifact.sha256"),
        ({"artifact": {"file": "model.joblib", "sha256": "g" * 64}}, "artifact.sha256"),
        ({"colour": "red"}, "colour"),
    ],
)
def test_refusal_names_the_wrong_field(
    tmp_path: Path, card_content: dict[str, Any], change: dict[str, Any], place: str
) -> None:
    with pytest.raises(ModelRefused, match=rf"card\.json: {place}: "):
        read_card(write_card(tmp_path, card_content | change))


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"kind": "category"}, "a category needs categories"),
        ({"kind": "category", "categories": []}, "a category needs categories"),
        ({"kind": "category", "categories": ["a"], "none": "b"}, "none is not among"),
        ({"kind": "number", "minimum": None}, "a number needs minimum <= maximum"),
        ({"kind": "integer", "minimum": 5, "maximum": 4}, "a number needs minimum <= maximum"),
        ({"kind": "identifier", "maximum": None}, "a number needs minimum <= maximum"),
        ({"maximum": float("inf")}, "Input should be a finite number"),
        ({"kind": "colour"}, "Input should be"),
        ({"name": "firstFlrSf"}, "String should match"),
        ({"name": "overall_qual"}, "two features have the same name"),
        ({"column": "OverallQual"}, "two features have the same column"),
        ({"kind": "category", "categories": ["a", 1, "a"]}, "a category is there twice"),
    ],
)
def test_card_is_refused_when_a_feature_makes_no_sense(
    card_content: dict[str, Any], change: dict[str, Any], reason: str
) -> None:
    card_content["features"][1].update(change)
    with pytest.raises(ValidationError, match=reason):
        ModelCard.model_validate(card_content)


def test_card_is_refused_when_two_names_are_the_same_in_camel_case(
    card_content: dict[str, Any],
) -> None:
    card_content["features"][1]["name"] = "floor_1"
    card_content["features"][2]["name"] = "floor1"
    with pytest.raises(ValidationError, match="two features have the same name"):
        ModelCard.model_validate(card_content)


@pytest.mark.parametrize(
    "width",
    [
        {},
        {"log_scale": 1.1},
        {"artifact": ARTIFACT},
        {"log_half_width": 0.1, "log_scale": 1.1, "artifact": ARTIFACT},
        {"log_half_width": 0.1, "log_scale": 1.1},
    ],
)
def test_card_says_in_one_way_how_wide_the_interval_is(width: dict[str, Any]) -> None:
    with pytest.raises(ValidationError, match="either log_half_width, or log_scale and artifact"):
        Interval.model_validate({"coverage": 0.9} | width)


@pytest.mark.parametrize(
    "interval",
    [
        {"log_half_width": 0.1, "bands": [{"given_at_most": 4, "log_scale": 1.0}]},
        {
            "log_scale": 1.1,
            "artifact": ARTIFACT,
            "bands": [{"given_at_most": each, "log_scale": 1.0} for each in (4, 4)],
        },
    ],
)
def test_bands_of_an_interval_rise_and_stand_beside_a_factor(interval: dict[str, Any]) -> None:
    with pytest.raises(ValidationError, match="bands need rising given_at_most"):
        Interval.model_validate({"coverage": 0.9} | interval)


def test_sha256_may_be_in_capitals() -> None:
    assert Artifact(file="model.joblib", sha256="AB" * 32).sha256 == "ab" * 32


@pytest.mark.parametrize(
    ("feature", "distribution", "message"),
    [
        (1, {"unknown": 0, "shares": [1]}, "the distribution of a number needs edges"),
        (1, {"unknown": 0, "shares": [1], "edges": [5]}, "one share more than edges"),
        (1, {"unknown": 0, "shares": [0.5, 0, 0.5], "edges": [9, 5]}, "rising edges"),
        (1, {"unknown": 2, "shares": [1], "edges": []}, "less than or equal to 1"),
        (3, {"unknown": 0, "shares": [1]}, "needs a share for each category"),
    ],
)
def test_distribution_that_does_not_fit_its_feature_is_refused(
    card_content: dict[str, Any], feature: int, distribution: dict[str, Any], message: str
) -> None:
    card_content["features"][feature]["distribution"] = distribution
    with pytest.raises(ValidationError, match=message):
        ModelCard.model_validate(card_content)


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"kind": "product"}, "does not match any of the expected tags"),
        ({"fields": ["overall_qual", "rooms"]}, "has rooms, which is none of the features"),
        ({"fields": ["overall_qual", "id"]}, "has id, which is none of the features"),
        ({"fields": ["pool_qc", "overall_qual"]}, "has pool_qc as a number, which is a category"),
        ({"fields": ["overall_qual"]}, "Field required"),
        ({"message": "{id}"}, "has {id}, which is none of the fields"),
        ({"message": "{overall_qual.real}"}, "has {overall_qual.real}, which is none"),
        ({"message": "{}"}, "has {}, which is none of the fields"),
        ({"message": "{overall_qual!r}"}, "in a form that can't be written"),
        ({"message": "{overall_qual:{lot_frontage}}"}, "in a form that can't be written"),
        ({"message": "{"}, "Single '{'"),
        ({"message": "{sum}"}, "has {sum}, which is none of the fields"),
        (
            {"kind": "none_if_zero", "message_if_zero": "", "message": "{overall_qual:ft}"},
            "in a form that can't be written",
        ),
        (
            {"kind": "none_if_zero", "message_if_zero": "no {lot_frontage:pool}"},
            "has overall_qual, which has no category for none",
        ),
    ],
)
def test_card_is_refused_when_a_relation_can_not_be_checked_or_said(
    card_content: dict[str, Any], change: dict[str, Any], reason: str
) -> None:
    relation = {
        "kind": "at_most",
        "fields": ["overall_qual", "lot_frontage"],
        "says": "",
        "message": "so",
    }
    ModelCard.model_validate(card_content | {"relations": [relation]})
    with pytest.raises(ValidationError, match=re.escape(reason)):
        ModelCard.model_validate(card_content | {"relations": [relation | change]})
