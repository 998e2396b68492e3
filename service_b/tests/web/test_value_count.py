import re
from collections.abc import Callable
from pathlib import Path

import pytest

from predictor.errors import InvalidInput
from predictor.settings import Settings
from predictor.web.value_count import check_value_count
from tests.service_process import MAIN, find_free_port, request, start

MEBIBYTE = 1024 * 1024
STATUS = Path("/proc/self/status")
# Bodies of nearly eight mebibytes that become as much memory as possible.
LARGE = {
    "one_column": (b'{"inputs": {"a": [', b"1", b"]}}"),
    "empty_rows": (b'{"dataframe_split": {"columns": [], "data": [', b"[]", b"]}}"),
    "floats_and_a_colon": (b'{"instances": [":", ', b"1.5", b"]}"),
}


def fill(start: bytes, item: bytes, end: bytes, size: int) -> bytes:
    return start + b",".join([item] * (size // (len(item) + 1))) + end


def name_many(count: int) -> bytes:
    """A row of columns with different names, and one that has a colon in its name."""
    names = [b":", *[b"%x" % number for number in range(count)]]
    return b'{"dataframe_records": [{' + b",".join(b'"%b": 1.5' % name for name in names) + b"}]}"


@pytest.mark.parametrize("body", [b"[1,2,3]", b"[[[[[]]]]]", b"[{},{},{}]", b"[" + b" " * 100])
def test_body_passes_when_it_has_as_many_values_as_are_allowed(body: bytes) -> None:
    check_value_count(body, 6)


@pytest.mark.parametrize("body", [b"[1,2,3,4,5,6]", b"[[[[[[{]]]]]]", b'["a,a", "b,b,b,b,b"]'])
def test_body_is_refused_when_it_has_more_values_than_are_allowed(body: bytes) -> None:
    with pytest.raises(InvalidInput) as caught:
        check_value_count(body, 5)
    (problem,) = caught.value.problems
    assert problem["loc"] == ["body"]
    assert problem["msg"] == "The body has more than 5 values"


@pytest.mark.skipif(not STATUS.exists(), reason="memory is read as Linux writes it")
def test_memory_is_bounded_when_bodies_have_as_many_values_as_fit(
    write_version: Callable[..., Path], settings: Settings
) -> None:
    write_version()
    port = find_free_port()
    variables = {
        "PREDICTOR_MODELS": str(settings.models),
        "PREDICTOR_BODY_TIMEOUT_SECONDS": "60",
    }
    with start(port, *MAIN, **variables) as service:
        before = read_peak_bytes(service.pid)
        bodies = [fill(*parts, 8 * MEBIBYTE - 100) for parts in LARGE.values()]
        # As many values as are allowed.
        bodies += [name_many(249_000), fill(*LARGE["one_column"], 2 * 249_000)]
        for body in bodies:
            answer, content = request(port, "POST", "/invocations", body)
            assert (answer.status, content["error_code"]) == (400, "BAD_REQUEST"), content
        assert request(port, "POST", "/predict/batch", bodies[0])[0].status == 422
        assert (
            "at most 1000 rows are allowed"
            in request(port, "POST", "/invocations", bodies[0])[1]["message"]
        )
        growth = read_peak_bytes(service.pid) - before
    assert growth < 90 * MEBIBYTE, growth / MEBIBYTE


def read_peak_bytes(pid: int) -> int:
    text = Path(f"/proc/{pid}/status").read_text(encoding="ascii")
    found = re.search(r"VmHWM:\s+(\d+) kB", text)
    assert found is not None
    return int(found[1]) * 1024
