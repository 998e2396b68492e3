"""What is special to the `ames` model: its data, its target, its words."""

from pathlib import Path

from predictor.card import Target
from training.dataset import Dataset
from training.preparation import Repair

NAME = "ames"
TITLE = "House prices in Ames, Iowa"
DESCRIPTION = (
    "Gradient-boosted trees on the logarithm of the price, trained on all 2,930 sales of homes in "
    "Ames, Iowa, from 2006 to 2010 (De Cock 2011), and on copies of them with optional fields "
    "hidden, so that it can price a house of which little is known. It knows no other town and "
    "no later year. The interval is measured on whole descriptions and is too narrow for scant "
    "ones: see metrics."
)
TARGET = Target(
    name="price", column="SalePrice", unit="USD", meaning="The price at which the house was sold."
)
DATASET = Dataset(
    file_name="AmesHousing.txt",
    url=(
        "https://raw.githubusercontent.com/rasbt/machine-learning-book/"
        "35ab3774e8e249c43a98209d8efd94c060102003/ch09/AmesHousing.txt"
    ),
    sha256="6cfe6cb525ba437de428653a1040e2aed7d696640bf75203786a6d7a0e67cfcc",
)
FEATURES_FILE = Path(__file__).with_name("ames_features.json")
REPAIRS = (
    Repair("GarageYrBlt", "2207", "2007", "a house of 2006, remodelled in 2007 and sold that year"),
)
EXAMPLE_ROW = 1  # a small house with some fields that say none
