"""The model that ships, through the API."""

import json
import math
from typing import Any

import pytest
from fastapi.testclient import TestClient
from pydantic.alias_generators import to_camel

from predictor.card import Feature, ModelCard

# A house with all 80 fields, whose camelCase names are those that were agreed.
HOUSE: dict[str, Any] = json.loads(
    """{
    "id": 1461, "msSubClass": 20, "msZoning": "RH", "lotFrontage": 80, "lotArea": 11622,
    "street": "Pave", "alley": null, "lotShape": "Reg", "landContour": "Lvl",
    "utilities": "AllPub", "lotConfig": "Inside", "landSlope": "Gtl", "neighborhood": "NAmes",
    "condition1": "Feedr", "condition2": "Norm", "bldgType": "1Fam", "houseStyle": "1Story",
    "overallQual": 5, "overallCond": 6, "yearBuilt": 1961, "yearRemodAdd": 1961,
    "roofStyle": "Gable", "roofMatl": "CompShg", "exterior1St": "VinylSd",
    "exterior2Nd": "VinylSd", "masVnrType": null, "masVnrArea": 0, "exterQual": "TA",
    "exterCond": "TA", "foundation": "CBlock", "bsmtQual": "TA", "bsmtCond": "TA",
    "bsmtExposure": "No", "bsmtFinType1": "Rec", "bsmtFinSf1": 468, "bsmtFinType2": "LwQ",
    "bsmtFinSf2": 144, "bsmtUnfSf": 270, "totalBsmtSf": 882, "heating": "GasA",
    "heatingQc": "TA", "centralAir": "Y", "electrical": "SBrkr", "firstFlrSf": 896,
    "secondFlrSf": 0, "lowQualFinSf": 0, "grLivArea": 896, "bsmtFullBath": 0,
    "bsmtHalfBath": 0, "fullBath": 1, "halfBath": 0, "bedroomAbvGr": 2, "kitchenAbvGr": 1,
    "kitchenQual": "TA", "totRmsAbvGrd": 5, "functional": "Typ", "fireplaces": 0,
    "fireplaceQu": null, "garageType": "Attchd", "garageYrBlt": 1961, "garageFinish": "Unf",
    "garageCars": 1, "garageArea": 730, "garageQual": "TA", "garageCond": "TA",
    "pavedDrive": "Y", "woodDeckSf": 140, "openPorchSf": 0, "enclosedPorch": 0,
    "threeSsnPorch": 0, "screenPorch": 120, "poolArea": 0, "poolQc": null, "fence": "MnPrv",
    "miscFeature": null, "miscVal": 0, "moSold": 6, "yrSold": 2010, "saleType": "WD",
    "saleCondition": "Normal"
    }"""
)
REQUIRED = {"overall_qual": 7, "gr_liv_area": 1710, "year_built": 2003, "neighborhood": "CollgCr"}


def predict(client: TestClient, *houses: dict[str, Any]) -> list[Any]:
    """The prediction for each house; none may be refused."""
    answer = client.post("/predict/batch", json={"inputs": houses})
    assert answer.status_code == 200
    return [result["prediction"] for result in answer.json()["results"]]


def predict_price(client: TestClient, house: dict[str, Any]) -> float:
    price: float = predict(client, house)[0]["price"]
    return price


def test_model_is_served_as_the_default(ames_client: TestClient) -> None:
    answer = ames_client.get("/health").json()
    assert (answer["status"], answer["model"]) == ("healthy", "ames")


def test_fields_have_the_names_that_were_agreed(ames_card: ModelCard) -> None:
    assert [to_camel(feature.name) for feature in ames_card.features] == list(HOUSE)


def test_four_fields_are_required(ames_card: ModelCard) -> None:
    required = {feature.name for feature in ames_card.features if feature.required}
    assert required == set(REQUIRED)


def test_house_has_a_sane_price(ames_client: TestClient) -> None:
    assert 100_000 < predict_price(ames_client, HOUSE) < 160_000
    assert 150_000 < predict_price(ames_client, REQUIRED) < 260_000


def test_names_in_either_case_give_the_same_price(
    ames_client: TestClient, ames_card: ModelCard
) -> None:
    snake = {feature.name: HOUSE[to_camel(feature.name)] for feature in ames_card.features}
    assert predict(ames_client, snake) == predict(ames_client, HOUSE)


@pytest.mark.parametrize(
    ("name", "worse", "better"),
    [
        ("overallQual", 3, 9),
        ("grLivArea", 700, 2500),
        ("yearBuilt", 1900, 2005),
        ("neighborhood", "MeadowV", "NridgHt"),
    ],
)
def test_better_house_costs_more(
    ames_client: TestClient, name: str, worse: object, better: object
) -> None:
    cheap, dear = predict(ames_client, HOUSE | {name: worse}, HOUSE | {name: better})
    assert cheap["price"] < dear["price"]


@pytest.mark.parametrize("name", ["1stFlrSF", "MSSubClass", "SalePrice", "price"])
def test_column_names_of_the_training_data_are_refused(ames_client: TestClient, name: str) -> None:
    answer = ames_client.post("/predict", json={"input": HOUSE | {name: 1}})
    assert answer.status_code == 422
    assert answer.json()["detail"][0]["loc"] == ["body", "input", name]


def test_every_field_but_the_required_may_be_left_out(ames_client: TestClient) -> None:
    required = {to_camel(name) for name in REQUIRED}
    partial = [
        {name: value for name, value in HOUSE.items() if name != left_out}
        for left_out in HOUSE
        if left_out not in required
    ]
    whole = predict_price(ames_client, HOUSE)
    for prediction in predict(ames_client, *partial):
        assert 0.7 * whole < prediction["price"] < 1.4 * whole


def test_every_value_that_the_card_allows_is_priced(
    ames_client: TestClient, ames_card: ModelCard
) -> None:
    houses = [
        HOUSE | {to_camel(feature.name): value}
        for feature in ames_card.features
        for value in list_values(feature)
    ]
    assert len(houses) > 300
    for prediction in predict(ames_client, *houses):
        assert math.isfinite(prediction["price"])
        assert prediction["interval"]["lower"] < prediction["price"]
        assert prediction["price"] < prediction["interval"]["upper"]


def list_values(feature: Feature) -> list[object]:
    """Each category, both bounds, and null where it is allowed."""
    values = feature.categories or (feature.minimum, feature.maximum)
    return [*values, *([None] if feature.nullable else [])]


@pytest.mark.parametrize(
    ("name", "value"),
    [("msZoning", "C (all)"), ("neighborhood", "Veenker"), ("bldgType", "2fmCon")],
)
def test_categories_are_spelled_as_in_the_data(
    ames_client: TestClient, name: str, value: str
) -> None:
    predict(ames_client, HOUSE | {name: value})


def test_null_is_none_where_the_data_has_a_code_for_none(ames_card: ModelCard) -> None:
    none = {feature.name for feature in ames_card.features if feature.none is not None}
    assert {"alley", "pool_qc", "fireplace_qu", "fence", "misc_feature", "garage_type"} <= none
    assert not none & {"neighborhood", "kitchen_qual", "overall_qual", "ms_zoning"}


@pytest.mark.parametrize("name", ["ames", "california"])
def test_every_category_in_any_spelling_has_the_price_of_the_exact_one(
    ames_client: TestClient, name: str
) -> None:
    card = ames_client.get(f"/models/{name}").json()["card"]
    columns = {feature["name"]: feature["column"] for feature in card["features"]}
    base = {
        each["name"]: card["example"][each["name"]] for each in card["features"] if each["required"]
    }
    exact, spelled = [], []
    for feature in card["features"]:
        for category in feature["categories"] or ():
            if isinstance(category, str):
                field = feature["name"]
                for text in (category.upper(), category.lower(), f"\t{category}\xa0 "):
                    exact.append(base | {field: category})
                    spelled.append(base | {field: text})
    assert len(exact) > {"ames": 750, "california": 10}[name]

    def predict_all(houses: list[dict[str, Any]]) -> Any:
        return ames_client.post(f"/models/{name}/predict/batch", json={"inputs": houses}).json()

    def invoke(houses: list[dict[str, Any]]) -> Any:
        rows = [{columns[field]: value for field, value in each.items()} for each in houses]
        body = {"dataframe_records": rows}
        return ames_client.post(f"/invocations?model={name}", json=body).json()

    expected = predict_all(exact)
    assert all("prediction" in each for each in expected["results"])
    assert predict_all(spelled) == expected
    prices = [each["prediction"]["price"] for each in expected["results"]]
    assert invoke(spelled) == invoke(exact)
    assert [round(each, 2) for each in invoke(spelled)["predictions"]] == prices
    assert len(set(prices)) > len(prices) / 10  # most categories matter
