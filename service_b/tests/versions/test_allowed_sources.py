import pytest

from predictor.versions.allowed_sources import ANY, AllowedSources


@pytest.mark.parametrize(
    ("prefix", "url"),
    [
        ("https:", "https://example.org/tiny"),
        ("https://example.org", "https://example.org"),
        ("https://example.org", "https://example.org/tiny"),
        ("https://example.org/", "https://user:password@example.org/tiny"),
        ("https://user:password@example.org/", "https://user:password@example.org/tiny"),
        ("s3://our-", "s3://our-models/tiny"),
        ("file:", "file:///srv/tiny"),
        ("models:", "models:/tiny@champion"),
    ],
)
def test_source_is_allowed_when_it_begins_with_a_prefix(prefix: str, url: str) -> None:
    assert AllowedSources(["gs:", prefix]).allow(url)
    assert ANY.allow(url)


@pytest.mark.parametrize(
    "url",
    [
        "http://example.org/models/tiny",
        "https://example.org.example.com/models/tiny",
        "https://example.org@example.com/models/tiny",
        "https://example.com?@example.org/models/tiny",
        "https://example.org:8443/models/tiny",
        "https://example.org/models/../secret",
        "https://example.org/models/%2E%2e/secret",
    ],
)
def test_source_is_not_allowed_when_it_only_looks_like_it(url: str) -> None:
    for prefix in ("https://example.org", "https://example.org/models/"):
        assert not AllowedSources([prefix]).allow(url)


@pytest.mark.parametrize(
    ("url", "target", "expected"),
    [
        ("https://a/x", "https://b/x", True),
        ("http://a/x", "https://b/x", True),
        ("http://a/x", "http://b/x", True),
        ("https://a/x", "http://a/x", False),
        ("https://a/x", "http://b/x", False),
    ],
)
def test_redirect_never_leads_from_https_to_http(url: str, target: str, expected: bool) -> None:
    assert AllowedSources(["http:", "https:"]).allow_redirect(url, target) is expected
