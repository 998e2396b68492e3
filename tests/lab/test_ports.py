"""Whether a port can be had."""

import socket

import pytest

from lab.errors import LabFailure
from lab.ports import check_port_is_free, find_free_ports
from lab.shells import POSIX, POWERSHELL, Shell


def test_two_ports_are_found_that_can_be_had() -> None:
    a, b = find_free_ports()

    assert a != b
    for port in (a, b):
        check_port_is_free("Service A", "SERVICE_A_PORT", port, POSIX)


@pytest.mark.parametrize(
    ("shell", "advice"),
    [
        (POSIX, "SERVICE_B_PORT={} ./run_services.sh"),
        (POWERSHELL, r"$env:SERVICE_B_PORT = '{}'; .\run_services.ps1"),
    ],
    ids=["posix", "powershell"],
)
def test_taken_port_is_named_with_what_to_type_instead(shell: Shell, advice: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(LabFailure) as failure:
            check_port_is_free("Service B", "SERVICE_B_PORT", port, shell)

    assert f"port {port}, for Service B, cannot be used: Address already" in str(failure.value)
    other = port - 1000 if port > 60000 else port + 1000
    assert str(failure.value).endswith(advice.format(other))


def test_port_is_taken_when_something_is_bound_to_it_and_does_not_listen() -> None:
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        with pytest.raises(LabFailure, match="cannot be used"):
            check_port_is_free("Service A", "SERVICE_A_PORT", bound.getsockname()[1], POSIX)


def test_port_is_free_when_what_listened_has_just_ended() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        with socket.create_connection(("127.0.0.1", port)) as caller:
            listener.accept()[0].close()  # now the connection waits in TIME_WAIT
            caller.recv(1)

    check_port_is_free("Service A", "SERVICE_A_PORT", port, POSIX)
