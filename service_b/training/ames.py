"""The `ames` model: sale prices of houses."""

from pathlib import Path

from predictor.card import Target
from training.dataset import Dataset
from training.estimator import Parameters
from training.preparation import Repair
from training.recipe import Recipe

AMES = Recipe(
    name="ames",
    title="House prices in Ames, Iowa",
    description=(
        "Gradient-boosted trees on the logarithm of the price, trained on all 2,930 sales of homes "
        "in Ames, Iowa, from 2006 to 2010 (De Cock 2011), and on copies of them with optional "
        "fields hidden, so that it can price a house of which little is known. It knows no other "
        "town and no later year. The interval is measured on whole descriptions and is too narrow "
        "for scant ones: see metrics."
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
    features_file=Path(__file__).with_name("ames_features.json"),
    repairs=(
        Repair(
            column="GarageYrBlt",
            wrong="2207",
            right="2007",
            reason="a house of 2006, remodelled in 2007 and sold that year",
        ),
    ),
    # Chosen by cross-validation on the 80% of the rows that are not held out.
    parameters=Parameters(
        whole_copies=2,
        partial_copies=6,
        trees=500,
        learning_rate=0.05,
        leaves_per_tree=16,
        features_per_split_share=0.3,
    ),
    example_row=1,
)
