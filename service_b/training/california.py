"""The `california` model: median house values of districts."""

import math
from dataclasses import replace
from pathlib import Path

from predictor.card import AtMost, Target
from training.dataset import Dataset
from training.parameters import Parameters
from training.recipe import Range, Recipe, Slice

# A degree of longitude is shorter than one of latitude, here at 36 degrees north.
_LONGITUDE = math.cos(math.radians(36))


def _rotate(degrees: int) -> dict[str, float]:
    """A coordinate along another direction: trees split across it, say along the coast."""
    angle = math.radians(degrees)
    return {"longitude": math.cos(angle), "latitude": math.sin(angle)}


def _weigh_place(weight: float) -> dict[str, float]:
    return {"longitude": weight * _LONGITUDE, "latitude": weight}


_PLAIN = Parameters(trees=500, learning_rate=0.06, leaves_per_tree=31, penalty=1.0, derived=False)
_NEARBY = replace(_PLAIN, derived=True, nearby=True)
_BLEND = replace(
    _NEARBY, weights={"boosting": 0.5, "median_boosting": 0.5}, trees=250, learning_rate=0.1
)
_CLUSTERS = replace(_PLAIN, derived=True, clusters=True)
_FOREST = replace(_PLAIN, weights={"forest": 1.0}, trees=100, rows_per_leaf=2, derived=True)

RECIPE = Recipe(
    name="california",
    title="House values in California districts, 1990",
    description=(
        "Gradient-boosted trees on the logarithm of the median house value, trained on all 20,640 "
        "districts of the 1990 census (Pace and Barry 1997), with what is known of the nearest "
        "districts among the columns. The data caps values at 500,001 USD: what is dearer looks "
        "like that, and so do its predictions. It knows no later year."
    ),
    target=Target(
        name="price",
        column="median_house_value",
        unit="USD",
        meaning="The median value of the district's owner-occupied homes, at most 500,001.",
    ),
    dataset=Dataset(
        file_name="california_housing.csv",
        url=(
            "https://raw.githubusercontent.com/ageron/handson-ml2/"
            "1e2115277b50f6c584cd668fa30e3af309a5b136/datasets/housing/housing.csv"
        ),
        sha256="8a3727f4cf54ac1a327f69b1d5b4db54c5834ea81c6e4efc0d163300022a685e",
    ),
    separator=",",
    features_file=Path(__file__).with_name("california_features.json"),
    example_row=0,
    sums=tuple(_rotate(degrees) for degrees in (15, 30, 45, 60, 75, 105, 120, 135, 150, 165)),
    ratios=(
        ("total_rooms", "households"),
        ("total_bedrooms", "total_rooms"),
        ("population", "households"),
        ("total_bedrooms", "households"),
        ("population", "total_rooms"),
    ),
    spaces=(
        _weigh_place(1),
        _weigh_place(8) | {"median_income": 0.3},
        _weigh_place(4) | {"median_income": 0.6, "housing_median_age": 0.02},
    ),
    neighbours=(1, 3, 5, 10, 20),
    place=_weigh_place(1),
    places={"longitude": 0.25, "latitude": 0.25},
    rises={"median_income": (0.5, 1, 2, 3, 4, 6, 8, 10)},
    candidates={
        "linear, median": replace(
            _PLAIN, weights={"linear": 1.0}, imputation="median", linear_gated=False
        ),
        "linear, mean flagged": replace(_PLAIN, weights={"linear": 1.0}, linear_gated=False),
        "linear, mean flagged, clusters": replace(
            _CLUSTERS, weights={"linear": 1.0}, linear_gated=False, derived=False
        ),
        "forest, median": replace(_FOREST, imputation="median"),
        "forest, median, clusters": replace(_FOREST, imputation="median", clusters=True),
        "forest, median, nearby": replace(_FOREST, imputation="median", nearby=True),
        "boosting, native": _PLAIN,
        "boosting, ratios and rotations": replace(_PLAIN, derived=True),
        "boosting, clusters": _CLUSTERS,
        "boosting, nearby": _NEARBY,
        "boosting, nearby and clusters": replace(_NEARBY, clusters=True),
        "boosting, nearby, median flagged": replace(_NEARBY, imputation="median_flagged"),
        "blend of boosting and linear, nearby": replace(
            _NEARBY, weights={"boosting": 0.9, "linear": 0.1}
        ),
        "blend of mean and median boosting, nearby": _BLEND,
        "blend of mean and median boosting, nearby, more trees": replace(
            _BLEND, trees=450, spread_bands=True, typical=True
        ),
        "blend of mean and median boosting, nearby and clusters": replace(_BLEND, clusters=True),
    },
    search={
        "weights.median_boosting": Range(0.2, 0.8),
        "learning_rate": Range(0.05, 0.15, log=True),
        "rows_per_leaf": Range(5, 60, log=True),
        "features_per_split": Range(0.1, 0.6),
        "penalty": Range(0.01, 30, log=True),
    },
    price_edges=(100_000, 150_000, 200_000, 300_000, 500_000),
    slices=(
        Slice("Nearness to the ocean", "ocean_proximity"),
        Slice("Median age of the houses", "housing_median_age", (10, 20, 30, 40, 51)),
        Slice("Median income, 10,000 USD", "median_income", (2, 3, 4, 6)),
    ),
    relations=(
        AtMost(
            fields=("total_bedrooms", "total_rooms"),
            says="The bedrooms are among the rooms",
            message="District has {total_bedrooms:bedroom}, but only {total_rooms:room} in all",
        ),
        AtMost(
            fields=("households", "population"),
            says="Each household has a person at least",
            message="District has {households:household}, but only a population of {population}",
        ),
        AtMost(
            fields=("households", "total_rooms"),
            says="Each household has a room at least",
            message="District has {households:household}, but only {total_rooms:room}",
        ),
    ),
)
