from dataclasses import dataclass

import numpy as np
import pytest

from predictor.card import Artifact, ModelCard, Typical, Widening
from predictor.inference.prediction import InputWarning
from predictor.inference.unusual import Unusual
from predictor.typicality import LONELY

# Of the area of the first floor alone; of the pool and the neighbourhood.
PAIRS = np.array([[0, 4], [0, 2]])


@dataclass
class FakeTypicality:
    pairs = PAIRS


@pytest.fixture
def unusual(card: ModelCard) -> Unusual:
    typical = Typical(
        artifact=Artifact(file="typical.npz", sha256="0" * 64),
        warn_below=0.01,
        widening=(Widening(typical=0.1, factor=3), Widening(typical=0.3, factor=1)),
        place=("lot_frontage", "neighborhood"),
        distances=(7, 8),
    )
    return Unusual(card, typical, FakeTypicality())  # type: ignore[arg-type]


def test_factor_lies_between_those_of_the_card(unusual: Unusual) -> None:
    shares = np.array([0, 0.1, 0.2, 0.3, 1])
    assert unusual.measure_factors(shares) == pytest.approx([3, 3, 2, 1, 1])


@pytest.mark.parametrize(
    ("culprit", "fields", "words"),
    [
        (0, ("first_flr_sf",), ", most of all: first flr sf"),
        (1, ("neighborhood", "pool_qc"), ", most of all: neighborhood with pool qc"),
        (LONELY, ("lot_frontage", "neighborhood"), ": it has no neighbours where it lies"),
    ],
)
def test_warning_names_the_fields_that_are_most_unusual(
    unusual: Unusual, culprit: int, fields: tuple[str, ...], words: str
) -> None:
    rows = "At most 0.5% of the rows that the model learnt from are as unusual"
    assert unusual.warn(culprit, 0.0041) == InputWarning(fields, rows + words)


def test_share_is_never_said_to_be_nothing(unusual: Unusual) -> None:
    assert unusual.warn(0, 0.0001).msg.startswith("At most 0.1% ")
