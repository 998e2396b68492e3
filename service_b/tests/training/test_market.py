import numpy as np
import pandas as pd
import pytest

from predictor.card import Feature
from training.errors import TrainingError
from training.evaluation import split_rows
from training.market import Market, Sale, draw_sales
from training.preparation import Prepared

FEATURES = (
    Feature(name="area", column="Area", kind="integer", meaning="", minimum=0, maximum=130),
    Feature(
        name="pool",
        column="Pool",
        kind="category",
        meaning="",
        categories=("Ex", "NA"),
        nullable=True,
        none="NA",
    ),
)
AREAS = np.arange(100.0)
PREPARED = Prepared(
    pd.DataFrame({"area": AREAS, "pool": ["NA", np.nan] * 50}, dtype=object).astype(
        {"area": float}
    ),
    1000 + AREAS,
    (),
)
UNSEEN = sorted(split_rows(100)[1].tolist())


def draw(
    rows: int = 20, skip: int = 0, *, seed: int = 1, inflation: float = 0.0, **shifts: float
) -> list[Sale]:
    market = Market("ames", seed, inflation, shifts)
    return draw_sales(market, PREPARED, FEATURES, rows, skip)


def test_sales_are_those_held_out_each_once_in_an_order_of_the_seed() -> None:
    sales = draw()
    assert sorted(sale.house["area"] for sale in sales) == UNSEEN
    assert draw() == sales
    assert [sale.house for sale in draw(seed=2)] != [sale.house for sale in sales]
    assert draw(5) + draw(15, 5) == sales


def test_houses_are_described_as_callers_do_it() -> None:
    for sale in draw():
        assert sale.house.get("pool", "left out") == (
            None if sale.house["area"] % 2 == 0 else "left out"
        )


def test_inflation_makes_all_dearer_and_nothing_else() -> None:
    for before, after in zip(draw(), draw(inflation=0.12), strict=True):
        assert after.house == before.house
        assert after.price == pytest.approx(1.12 * before.price)


def test_shifted_field_stays_whole_and_within_its_bounds() -> None:
    larger = round(0.5 * AREAS.std(ddof=1))
    for before, after in zip(draw(), draw(area=0.5), strict=True):
        assert after.house["area"] == pytest.approx(before.house["area"] + larger, abs=1)
        assert isinstance(after.house["area"], int)
        assert after.price == before.price
    assert {sale.house["area"] for sale in draw(area=9)} == {130}


def test_same_sale_in_another_market_is_another_request() -> None:
    markets = [draw(), draw(inflation=0.1), draw(area=1.0), draw(seed=2)]
    assert len({sale.request_id for sales in markets for sale in sales}) == 4 * 20


@pytest.mark.parametrize("field", ["pool", "garage"])
def test_field_that_is_no_number_cannot_be_shifted(field: str) -> None:
    with pytest.raises(TrainingError, match=f"{field} can't be shifted; what can: area"):
        draw_sales(Market("ames", 1, 0.0, {field: 1.0}), PREPARED, FEATURES, 20, 0)


def test_more_sales_than_are_held_out_are_refused() -> None:
    with pytest.raises(TrainingError, match="20 sales are held out, not 21"):
        draw(20, 1)
