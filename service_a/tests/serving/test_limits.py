import resource

import pytest

from gateway.serving.limits import Limits


def count_connections(max_connections: int) -> int:
    limits = Limits(
        max_connections=max_connections, head_seconds=15, body_seconds=5, max_bytes=65536
    )
    return limits.max_connections


@pytest.mark.parametrize(
    ("open_files", "wanted", "expected"),
    [
        (1024, 1000, 724),
        (1024, 700, 700),
        (600, 1000, 400),
        (256, 1000, 156),
        (50, 1000, 1),
        (resource.RLIM_INFINITY, 1000, 1000),
    ],
)
def test_connections_leave_room_for_the_other_files_of_the_process(
    monkeypatch: pytest.MonkeyPatch, open_files: int, wanted: int, expected: int
) -> None:
    monkeypatch.setattr(resource, "getrlimit", lambda _: (open_files, open_files))

    assert count_connections(wanted) == expected
