"""What the environment asks of a start."""

import pytest

from lab.errors import LabFailure
from lab.settings import read_settings


def test_settings_have_their_defaults_when_nothing_is_set() -> None:
    assert read_settings({}) == (8000, 8001, 60, "http://127.0.0.1:8001/predict")


def test_empty_variable_is_as_good_as_unset() -> None:
    names = ("SERVICE_A_PORT", "SERVICE_B_PORT", "SERVICE_B_URL", "START_TIMEOUT_SECONDS")

    assert read_settings(dict.fromkeys(names, "")) == read_settings({})


def test_service_a_sends_where_service_b_listens_unless_it_is_told_otherwise() -> None:
    assert read_settings({"SERVICE_B_PORT": "9001"}).service_b_url.endswith(":9001/predict")
    assert read_settings({"SERVICE_B_URL": "http://b/predict"}).service_b_url == "http://b/predict"


@pytest.mark.parametrize("name", ["SERVICE_A_PORT", "SERVICE_B_PORT"])
@pytest.mark.parametrize(
    "value", ["0", "080", "65536", "http", "80a", "-1", "1e3", " 80", "\uff18\uff10"]
)
def test_start_is_refused_when_a_port_is_not_a_port(name: str, value: str) -> None:
    with pytest.raises(LabFailure, match=rf"^{name}={value} is not a port; it must be a number"):
        read_settings({name: value})


def test_start_is_refused_when_both_ports_are_the_same() -> None:
    with pytest.raises(LabFailure, match="are both 8000; they must differ"):
        read_settings({"SERVICE_B_PORT": "8000"})


@pytest.mark.parametrize("value", ["0", "soon", "1.5", "-1", "100000"])
def test_start_is_refused_when_the_timeout_is_no_number_of_seconds(value: str) -> None:
    with pytest.raises(LabFailure, match=f"^START_TIMEOUT_SECONDS={value} is not a whole number"):
        read_settings({"START_TIMEOUT_SECONDS": value})
