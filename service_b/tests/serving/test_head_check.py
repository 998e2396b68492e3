"""What of a head has only one reading, whichever parser reads it."""

import pytest

from tests.serving.running_server import RunningServer

BODY = b"2\r\n{}\r\n0\r\n\r\n"


@pytest.mark.parametrize(
    "host",
    [
        "x",
        "",
        "x \t",
        "service_b:8001 ",
        "[::1]:80",
        "[fe80::1%25eth0]",
        "xn--bcher-kva.example.:80",
        "%41",
    ],
)
def test_host_is_taken(server: RunningServer, host: str) -> None:
    head = f"GET /x HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n"
    assert [answer.status for answer in server.send(head.encode())] == [200]


@pytest.mark.parametrize(
    "fields",
    [
        "",
        "Host: x\r\nHost: x\r\n",
        "Host: x\r\nX-1: a\r\nhost: y\r\n",
        "Host: a b\r\n",
        "Host: http://x\r\n",
        "Host: x@y\r\n",
        "Host: x:80:80\r\n",
        "Host: [::1\r\n",
        "Host: büro\r\n",
    ],
)
def test_request_is_refused_when_it_has_no_host_or_two(server: RunningServer, fields: str) -> None:
    answers = server.send(f"GET / HTTP/1.1\r\n{fields}\r\n".encode())

    assert [(answer.status, answer.headers["connection"]) for answer in answers] == [(400, "close")]


def test_older_request_needs_no_host(server: RunningServer) -> None:
    assert [answer.status for answer in server.send(b"GET / HTTP/1.0\r\n\r\n")] == [200]


@pytest.mark.parametrize("version", ["0.5", "0.9", "1.2", "2.0", "3.0", "9.9"])
def test_request_of_another_version_is_refused(server: RunningServer, version: str) -> None:
    head = f"GET /x HTTP/{version}\r\nHost: x\r\n\r\n"

    (answer,) = server.send(head.encode() + head.encode())

    assert (answer.status, answer.headers["connection"]) == (505, "close")
    assert answer.content == {"detail": "The only versions of HTTP that are read are 1.0 and 1.1"}


def test_caller_that_begins_with_http_2_is_told_the_version(server: RunningServer) -> None:
    (answer,) = server.send(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + bytes(40))

    assert answer.status == 505


@pytest.mark.parametrize(
    ("coding", "status"),
    [
        ("chunked", 200),
        ("Chunked", 200),
        ("gzip, chunked", 501),
        ("gzip\r\nTransfer-Encoding: chunked", 501),
        ("identity, chunked", 501),
        ("chunked\r\nContent-Length: 12", 400),
    ],
)
def test_body_is_read_when_its_only_coding_is_chunks(
    server: RunningServer, coding: str, status: int
) -> None:
    head = f"POST / HTTP/1.1\r\nHost: x\r\nConnection: close\r\nTransfer-Encoding: {coding}\r\n\r\n"

    (answer,) = server.send(head.encode() + BODY)

    assert answer.status == status


@pytest.mark.parametrize(
    "coding", ["chunked, chunked", "chunked\r\nX-1: a\r\nTransfer-Encoding: chunked"]
)
def test_body_is_refused_when_it_is_in_chunks_twice(server: RunningServer, coding: str) -> None:
    head = f"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: {coding}\r\n\r\n"

    (answer,) = server.send(head.encode() + BODY)

    assert answer.status in {400, 501}  # by the parser, or for its coding


def test_older_request_has_no_chunks(server: RunningServer) -> None:
    (answer,) = server.send(b"POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n" + BODY)
    assert answer.status == 400


def test_requests_before_the_refused_one_are_answered(server: RunningServer) -> None:
    first = b"GET /first HTTP/1.1\r\nHost: x\r\n\r\n"
    answers = server.send(first + b"GET /second HTTP/1.1\r\n\r\n")
    assert [answer.status for answer in answers] == [200, 400]
