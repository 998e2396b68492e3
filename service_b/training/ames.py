"""The `ames` model: prices of single houses."""

from dataclasses import replace
from pathlib import Path

from predictor.card import AtMost, NoneIfZero, Sum, Target
from training.dataset import Dataset
from training.parameters import Parameters
from training.preparation import Repair
from training.recipe import Kernel, Range, Recipe, Slice

_PLAIN = Parameters(trees=500, learning_rate=0.05)
_PARTIAL = replace(_PLAIN, whole_copies=2, partial_copies=6)
_FOREST = replace(_PLAIN, weights={"forest": 1.0}, trees=100, rows_per_leaf=1)
_LINEAR = replace(_PLAIN, weights={"linear": 1.0})
_BLEND = replace(_PARTIAL, weights={"boosting": 0.65, "linear": 0.35})
# What the search for version 1 found, on the rows that `split` gives for training.
_FOUND = replace(
    _BLEND,
    weights={"boosting": 0.6, "linear": 0.4},
    derived=False,
    learning_rate=0.0878,
    leaves_per_tree=22,
    rows_per_leaf=35,
    features_per_split=0.173,
    penalty=2.37,
    linear_penalty=13.0,
    spread_bands=True,
    typical=True,
)
# Version 1's parameters, and what version 2 adds for houses of which little is known.
_SCANT = replace(_FOUND, required_copies=4, seeds=2, rising=True)
_QUALITY = ("Po", "Fa", "TA", "Gd", "Ex")

RECIPE = Recipe(
    name="ames",
    title="House prices in Ames, Iowa",
    description=(
        "Gradient-boosted trees and a ridge regression on the logarithm of the price, trained on "
        "all 2,930 sales of homes in Ames, Iowa, from 2006 to 2010 (De Cock 2011), and on copies "
        "of them with optional fields hidden, so that it can price a house of which little is "
        "known. Where only the required fields are known, a Gaussian process on them has a say as "
        "well. It knows no other town and no later year."
    ),
    target=Target(
        name="price",
        column="SalePrice",
        unit="USD",
        meaning="The price at which the house was sold.",
    ),
    dataset=Dataset(
        file_name="AmesHousing.txt",
        url=(
            "https://raw.githubusercontent.com/rasbt/machine-learning-book/"
            "35ab3774e8e249c43a98209d8efd94c060102003/ch09/AmesHousing.txt"
        ),
        sha256="6cfe6cb525ba437de428653a1040e2aed7d696640bf75203786a6d7a0e67cfcc",
    ),
    separator="\t",
    features_file=Path(__file__).with_name("ames_features.json"),
    example_row=1,  # a small house with some fields that say none
    repairs=(
        Repair(
            "GarageYrBlt", "2207", "2007", "a house of 2006, remodelled in 2007 and sold that year"
        ),
    ),
    sums=(
        {"gr_liv_area": 1, "total_bsmt_sf": 1},
        {"full_bath": 1, "half_bath": 0.5, "bsmt_full_bath": 1, "bsmt_half_bath": 0.5},
        {
            "wood_deck_sf": 1,
            "open_porch_sf": 1,
            "enclosed_porch": 1,
            "three_ssn_porch": 1,
            "screen_porch": 1,
        },
    ),
    products=(("overall_qual", "gr_liv_area"),),
    ratios=(
        ("gr_liv_area", "tot_rms_abv_grd"),
        ("lot_area", "gr_liv_area"),
        ("bsmt_unf_sf", "total_bsmt_sf"),
    ),
    places={"neighborhood": 0},
    later=("yr_sold", 2010),
    rises={
        "garage_cars": (0, 1, 2),
        "full_bath": (0, 1, 2),
        "kitchen_qual": _QUALITY,
        "bsmt_qual": _QUALITY,
        "bsmt_cond": _QUALITY,
    },
    candidates={
        "linear, median": replace(_LINEAR, imputation="median", linear_gated=False),
        "linear, mean flagged": replace(
            _LINEAR, linear_gated=False, whole_copies=2, partial_copies=6
        ),
        "linear, mean gated": replace(_LINEAR, whole_copies=2, partial_copies=6),
        "forest, median": replace(_FOREST, imputation="median"),
        "forest, median flagged": replace(
            _FOREST, imputation="median_flagged", whole_copies=1, partial_copies=2
        ),
        "boosting, native": _PLAIN,
        "boosting, native, partial copies": _PARTIAL,
        "boosting, median flagged, partial copies": replace(_PARTIAL, imputation="median_flagged"),
        "boosting, no derived columns": replace(_PARTIAL, derived=False),
        "blend of boosting and linear": _BLEND,
        "blend of boosting and linear, no derived columns": replace(_BLEND, derived=False),
        "blend, required copies, two seeds, sensible steps": _SCANT,
        "blend, required copies, two seeds, sensible steps, reduced model": replace(
            _SCANT, reduced_share=0.6
        ),
    },
    search={
        "weights.linear": Range(0.1, 0.6),
        "learning_rate": Range(0.03, 0.09, log=True),
        "leaves_per_tree": Range(10, 24),
        "rows_per_leaf": Range(8, 60, log=True),
        "features_per_split": Range(0.1, 0.5),
        "penalty": Range(0.0, 10.0),
        "linear_penalty": Range(2, 60, log=True),
    },
    # Found by cross-validation on the rows that `split` gives for training.
    kernel=Kernel(
        scales={"overall_qual": 5, "year_built": 400, "gr_liv_area": 1200},
        place=0.02,
        local=0.006,
        shrink=0.1,
        noise=0.014,
    ),
    price_edges=(100_000, 150_000, 200_000, 250_000, 350_000),
    slices=(
        Slice("Neighbourhood", "neighborhood"),
        Slice("Year of sale", "yr_sold"),
        Slice("Year built", "year_built", (1940, 1960, 1980, 2000)),
    ),
    relations=(
        Sum(
            fields=("gr_liv_area", "first_flr_sf", "second_flr_sf", "low_qual_fin_sf"),
            tolerance=1,  # of areas that were rounded
            says="The living area is the sum of both floors and of what is finished in low quality",
            message="Living area is {gr_liv_area} sq ft, but its floors add up to {sum} sq ft",
        ),
        Sum(
            fields=("total_bsmt_sf", "bsmt_fin_sf1", "bsmt_fin_sf2", "bsmt_unf_sf"),
            tolerance=1,
            says="The basement area is the sum of its finished and unfinished parts",
            message="Basement area is {total_bsmt_sf} sq ft, but its parts add up to {sum} sq ft",
        ),
        AtMost(
            fields=("year_built", "yr_sold"),
            offset=1,
            says="A house is built no later than the year after its sale",
            message="House was built in {year_built}, but sold in {yr_sold}",
        ),
        AtMost(
            fields=("bedroom_abv_gr", "tot_rms_abv_grd"),
            says="The bedrooms are among the rooms",
            message="House has {bedroom_abv_gr:bedroom}, but only {tot_rms_abv_grd:room} in all",
        ),
        AtMost(
            fields=("first_flr_sf", "lot_area"),
            says="The first floor is within the lot",
            message="First floor has {first_flr_sf} sq ft, but the lot only {lot_area} sq ft",
        ),
        NoneIfZero(
            fields=("garage_type", "garage_cars"),
            says="There is no garage exactly when it has room for no car",
            message="Garage has {garage_cars:car}, but garage type says there is none",
            message_if_zero="Garage type is {garage_type}, but garage has {garage_cars:car}",
        ),
        NoneIfZero(
            fields=("garage_type", "garage_area"),
            says="There is no garage exactly when it has no area",
            message="Garage has {garage_area} sq ft, but garage type says there is none",
            message_if_zero="Garage type is {garage_type}, but garage has {garage_area} sq ft",
        ),
        NoneIfZero(
            fields=("bsmt_qual", "total_bsmt_sf"),
            says="There is no basement exactly when it has no area",
            message="Basement has {total_bsmt_sf} sq ft, but its quality says there is none",
            message_if_zero="Basement quality is {bsmt_qual}, but it has {total_bsmt_sf} sq ft",
        ),
        NoneIfZero(
            fields=("fireplace_qu", "fireplaces"),
            says="A fireplace has a quality exactly when there is one",
            message="House has {fireplaces:fireplace}, but their quality says there is none",
            message_if_zero="Fireplace quality is {fireplace_qu}, but house has "
            "{fireplaces:fireplace}",
        ),
        NoneIfZero(
            fields=("pool_qc", "pool_area"),
            says="A pool has a quality exactly when it has an area",
            message="Pool has {pool_area} sq ft, but its quality says there is none",
            message_if_zero="Pool quality is {pool_qc}, but pool has {pool_area} sq ft",
        ),
    ),
)
