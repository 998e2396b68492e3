import math
from typing import Any

import pandas as pd
from pydantic.alias_generators import to_camel

from predictor.card import Feature
from training.ames import RECIPE as AMES
from training.features import complete_features, read_descriptions, to_request

# What callers send, and what the MLflow protocol sends, fixed by the lab's contract.
CAMEL_CASE_NAMES = """\
id msSubClass msZoning lotFrontage lotArea street alley lotShape landContour utilities lotConfig
landSlope neighborhood condition1 condition2 bldgType houseStyle overallQual overallCond yearBuilt
yearRemodAdd roofStyle roofMatl exterior1St exterior2Nd masVnrType masVnrArea exterQual exterCond
foundation bsmtQual bsmtCond bsmtExposure bsmtFinType1 bsmtFinSf1 bsmtFinType2 bsmtFinSf2
bsmtUnfSf totalBsmtSf heating heatingQc centralAir electrical firstFlrSf secondFlrSf lowQualFinSf
grLivArea bsmtFullBath bsmtHalfBath fullBath halfBath bedroomAbvGr kitchenAbvGr kitchenQual
totRmsAbvGrd functional fireplaces fireplaceQu garageType garageYrBlt garageFinish garageCars
garageArea garageQual garageCond pavedDrive woodDeckSf openPorchSf enclosedPorch threeSsnPorch
screenPorch poolArea poolQc fence miscFeature miscVal moSold yrSold saleType saleCondition
"""
COLUMNS = """\
Id MSSubClass MSZoning LotFrontage LotArea Street Alley LotShape LandContour Utilities LotConfig
LandSlope Neighborhood Condition1 Condition2 BldgType HouseStyle OverallQual OverallCond YearBuilt
YearRemodAdd RoofStyle RoofMatl Exterior1st Exterior2nd MasVnrType MasVnrArea ExterQual ExterCond
Foundation BsmtQual BsmtCond BsmtExposure BsmtFinType1 BsmtFinSF1 BsmtFinType2 BsmtFinSF2
BsmtUnfSF TotalBsmtSF Heating HeatingQC CentralAir Electrical 1stFlrSF 2ndFlrSF LowQualFinSF
GrLivArea BsmtFullBath BsmtHalfBath FullBath HalfBath BedroomAbvGr KitchenAbvGr KitchenQual
TotRmsAbvGrd Functional Fireplaces FireplaceQu GarageType GarageYrBlt GarageFinish GarageCars
GarageArea GarageQual GarageCond PavedDrive WoodDeckSF OpenPorchSF EnclosedPorch 3SsnPorch
ScreenPorch PoolArea PoolQC Fence MiscFeature MiscVal MoSold YrSold SaleType SaleCondition
"""

AMES_DESCRIPTIONS = read_descriptions(AMES.features_file)

DESCRIPTIONS: list[dict[str, Any]] = [
    {"name": "id", "column": "Id", "kind": "identifier", "minimum": 0, "maximum": 9},
    {"name": "zone", "column": "Zone", "kind": "category", "categories": ["C (all)", "RL"]},
    {"name": "sub_class", "column": "SubClass", "kind": "category", "categories": [20, 60, 120]},
    {"name": "pool_qc", "column": "PoolQC", "kind": "category", "categories": ["Ex", "NA"]},
    {"name": "veneer", "column": "Veneer", "kind": "category", "categories": ["None", "Stone"]},
    {"name": "electrical", "column": "Electrical", "kind": "category", "categories": ["A", "B"]},
    {"name": "lot_area", "column": "LotArea", "kind": "number", "minimum": 0, "maximum": 9},
    {"name": "frontage", "column": "Frontage", "kind": "number", "minimum": 0, "maximum": 9},
]
FRAME = pd.DataFrame(
    {
        "zone": ["RL", "C (all)", "RL"],
        "sub_class": pd.Series([120, 20, 60], dtype=object),
        "pool_qc": ["NA", "Ex", "NA"],
        "veneer": ["Stone", "None", math.nan],
        "electrical": ["B", math.nan, "A"],
        "lot_area": [5.0, 6.5, 7.0],
        "frontage": [1.0, math.nan, 2.0],
    }
)


def complete() -> dict[str, Feature]:
    described = [{**each, "meaning": "Any."} for each in DESCRIPTIONS]
    return {feature.name: feature for feature in complete_features(described, FRAME)}


def test_ames_has_the_names_and_columns_of_the_contract_in_their_order() -> None:
    assert len(AMES_DESCRIPTIONS) == 80
    assert [to_camel(each["name"]) for each in AMES_DESCRIPTIONS] == CAMEL_CASE_NAMES.split()
    assert [each["column"] for each in AMES_DESCRIPTIONS] == COLUMNS.split()


def test_ames_requires_four_fields() -> None:
    required = {each["name"] for each in AMES_DESCRIPTIONS if each.get("required")}
    assert required == {"overall_qual", "gr_liv_area", "year_built", "neighborhood"}


def test_ames_says_what_every_feature_means() -> None:
    for each in AMES_DESCRIPTIONS:
        assert each["meaning"].endswith("."), each["name"]
        assert len(each["meaning"]) <= 250, each["name"]


def test_categories_are_those_described() -> None:
    features = complete()
    assert features["zone"].categories == ("C (all)", "RL")
    assert features["sub_class"].categories == (20, 60, 120)
    assert features["electrical"].categories == ("A", "B")
    assert features["lot_area"].categories is None


def test_null_stands_for_the_code_for_none_where_the_data_has_one() -> None:
    features = complete()
    assert (features["pool_qc"].nullable, features["pool_qc"].none) == (True, "NA")
    assert (features["veneer"].nullable, features["veneer"].none) == (True, "None")


def test_null_may_be_sent_where_the_data_leaves_fields_empty_and_nowhere_else() -> None:
    features = complete()
    nullable = {name for name, feature in features.items() if feature.nullable}
    assert nullable == {"pool_qc", "veneer", "electrical", "frontage"}
    assert features["electrical"].none is None


def test_request_says_none_as_null_and_leaves_unknown_fields_out() -> None:
    features = tuple(complete().values())
    assert to_request(features, FRAME.iloc[0].to_dict()) == {
        "zone": "RL",
        "sub_class": 120,
        "pool_qc": None,
        "veneer": "Stone",
        "electrical": "B",
        "lot_area": 5,
        "frontage": 1,
    }
    assert to_request(features, FRAME.iloc[1].to_dict()) == {
        "zone": "C (all)",
        "sub_class": 20,
        "pool_qc": "Ex",
        "veneer": None,
        "lot_area": 6.5,
    }
