import pytest

from predictor.telemetry.redaction import hide_secrets


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("https://user:password@host/tiny: down", "https://***@host/tiny: down"),
        ("https://token@host:8443/tiny", "https://***@host:8443/tiny"),
        ("URL('https://user:p@ss:w/rd?#@host/x')", "URL('https://***@host/x')"),
        ("https://host/tiny?token=secret&a=b failed", "https://host/tiny?*** failed"),
        ("URL('https://host/x?sig=s%2F+=')", "URL('https://host/x?***')"),
        ("postgresql://host/db?user=me&password=secret", "postgresql://host/db?***"),
        ("a://u:p@h and b://u:p@h", "a://***@h and b://***@h"),
        ("postgresql://u:p w@host/db", "postgresql://***@host/db"),
        ("a://u:p\"w'd@h and b://h:80/x", "a://***@h and b://h:80/x"),
        ("https://host/x#access_token=secret", "https://host/x#***"),
        ("http://host:8001/x: no ames@champion", "http://host:8001/x: no ames@champion"),
        ("http://[::1]:8001 has no ames@champion", "http://[::1]:8001 has no ames@champion"),
        ("no URL: user@host?token", "no URL: user@host?token"),
        ("models:/ames@champion", "models:/ames@champion"),
        ("https://host:8443/tiny/1/card.json", "https://host:8443/tiny/1/card.json"),
    ],
)
def test_urls_lose_their_secrets_and_nothing_else(text: str, expected: str) -> None:
    assert hide_secrets(text) == expected
