import re

import pytest

from predictor.telemetry.trace import read_trace

TRACE = "0af7651916cd43dd8448eb211c80319c"


@pytest.mark.parametrize("ending", ["-b7ad6b7169203331-01", "-b7ad6b7169203331-00-more"])
def test_trace_of_the_caller_is_kept(ending: str) -> None:
    assert read_trace("r1", f"00-{TRACE}{ending}")[:2] == ("r1", TRACE)


@pytest.mark.parametrize("given", ["", "x", f"ff-{TRACE}-b7ad6b7169203331-01", f"00-{TRACE}-1-01"])
def test_new_trace_is_begun_when_the_header_is_not_sane(given: str) -> None:
    trace_id = read_trace("r1", given).trace_id

    assert re.fullmatch("[0-9a-f]{32}", trace_id)
    assert trace_id != TRACE
