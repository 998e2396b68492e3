import pytest

from gateway.web.district import District
from gateway.web.schemas import DISTRICT
from generate_house import DISTRICT_TARGET, SOURCE, generate_district


@pytest.mark.skipif(not SOURCE.exists(), reason="Service B's contract is not beside this folder")
def test_contract_is_what_service_b_takes_now() -> None:
    assert generate_district() == DISTRICT_TARGET.read_text(), "run: python generate_house.py"


def test_example_is_the_one_of_each_field() -> None:
    fields = District.model_json_schema()["properties"]

    assert {name: field["examples"][0] for name, field in fields.items()} == DISTRICT
    District.model_validate(DISTRICT)
