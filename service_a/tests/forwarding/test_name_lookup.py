import socket

import pytest

from gateway.forwarding.name_lookup import look_up


@pytest.mark.parametrize(
    ("host", "addresses"),
    [("127.0.0.1", {"127.0.0.1"}), ("[::1]", {"::1"}), ("localhost", {"127.0.0.1", "::1"})],
)
def test_host_has_its_addresses(host: str, addresses: set[str]) -> None:
    found = look_up(host, 30)

    assert found
    assert set(found) <= addresses


@pytest.mark.parametrize("host", ["no-such-host.invalid", "a" * 300, "a..b"])
def test_host_that_is_not_there_is_an_error_each_time(host: str) -> None:
    for _ in range(2):
        with pytest.raises(socket.gaierror):
            look_up(host, 30)
