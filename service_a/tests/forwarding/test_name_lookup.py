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


def test_addresses_of_a_family_take_turns_when_a_name_has_several(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def fake_getaddrinfo(_host: str, *_: object, flags: int = 0) -> list[tuple[object, ...]]:
        if flags:
            raise socket.gaierror
        return [(0, 0, 0, "", (address, 0)) for address in ("fd00::1", "10.0.0.2", "10.0.0.1")]

    monkeypatch.setattr(socket, "getaddrinfo", fake_getaddrinfo)

    one, next_one, third = (look_up("service_b", 30) for _ in range(3))

    assert one == third
    assert sorted([one, next_one]) == [
        ["fd00::1", "10.0.0.1", "10.0.0.2"],
        ["fd00::1", "10.0.0.2", "10.0.0.1"],
    ]
