"""What `run` says when both services are up."""

import re

import pytest

from lab.running import write_welcome
from lab.settings import read_settings
from lab.shells import POSIX

A = "http://localhost:8000"


@pytest.mark.parametrize(
    ("has_page", "has_faults", "first", "place"),
    [
        (True, False, f"{A}/lab", None),
        (True, True, f"{A}/lab", f"{A}/lab#break"),
        (False, False, A, None),
        (False, True, f"{A}/docs", f"{A}/docs"),
    ],
)
def test_page_is_named_only_where_there_is_one(
    has_page: bool, has_faults: bool, first: str, place: str | None
) -> None:
    welcome = write_welcome(
        read_settings({}), POSIX, wants_key=False, has_faults=has_faults, has_page=has_page
    )

    assert re.findall(r"http://\S+", welcome)[0] == first
    assert re.findall(r"Faults are on: .* at (.*)", welcome) == ([place] if place else [])
    assert ("/lab" in welcome) is has_page
    assert "\n\n\n" not in welcome
