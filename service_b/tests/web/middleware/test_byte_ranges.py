from pathlib import Path

import pytest
from starlette.staticfiles import StaticFiles
from starlette.testclient import TestClient

from predictor.web.middleware.byte_ranges import ByteRanges


@pytest.mark.parametrize(
    ("range_", "status", "text"),
    [
        ("bytes=0-1", 206, "01"),
        ("Bytes=2-", 206, "23"),
        ("items=0-1", 200, "0123"),
        ("nonsense", 200, "0123"),
    ],
)
def test_range_in_another_unit_than_bytes_is_ignored(
    tmp_path: Path, range_: str, status: int, text: str
) -> None:
    (tmp_path / "file").write_text("0123")
    client = TestClient(ByteRanges(StaticFiles(directory=tmp_path)))

    reply = client.get("/file", headers={"Range": range_})

    assert (reply.status_code, reply.text) == (status, text)
