import pytest


@pytest.fixture(params=["0", "1"], ids=["fast", "plain"])
def plain(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Run a test with the fast pieces, and again with their plain twins."""
    monkeypatch.setenv("LAB_PLAIN", request.param)
