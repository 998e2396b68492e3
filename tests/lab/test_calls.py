"""HTTP calls to the services."""

import json
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread

import pytest

from lab.calls import NoAnswer, call
from tests.running_lab import find_free_port


class FakeService(BaseHTTPRequestHandler):
    """Answers with what it was sent, and 404 under /none."""

    def answer(self) -> None:
        length = self.headers["Content-Length"]
        sent = {
            "method": self.command,
            "path": self.path,
            "type": self.headers["Content-Type"],
            "key": self.headers["X-API-Key"],
            "body": self.rfile.read(int(length)).decode() if length else None,
        }
        self.send_response(404 if self.path == "/none" else 200)
        self.end_headers()
        self.wfile.write(json.dumps(sent).encode())

    do_GET = do_POST = answer  # noqa: N815 - as http.server wants them called

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def url() -> Iterator[str]:
    with ThreadingHTTPServer(("127.0.0.1", 0), FakeService) as server:
        thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield f"http://localhost:{server.server_port}"
        server.shutdown()
        thread.join()


def test_get_is_sent_past_the_proxy_when_there_is_no_body(
    url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("http_proxy", f"http://127.0.0.1:{find_free_port()}")

    answer = call(url)

    assert answer.status == 200
    assert json.loads(answer.text) == {
        "method": "GET",
        "path": "/",
        "type": None,
        "key": None,
        "body": None,
    }


def test_body_is_posted_as_json_with_the_key(url: str) -> None:
    answer = json.loads(call(f"{url}/process", '{"data": 1}', key="secret").text)

    assert answer == {
        "method": "POST",
        "path": "/process",
        "type": "application/json",
        "key": "secret",
        "body": '{"data": 1}',
    }


def test_answer_is_returned_whatever_its_status_is(url: str) -> None:
    assert call(f"{url}/none").status == 404


@pytest.mark.parametrize("place", ["http://localhost:{}", "localhost:{}", "", "http://[", "x:y:z"])
def test_reason_is_given_when_nothing_answers(place: str) -> None:
    with pytest.raises(NoAnswer, match=r"."):
        call(place.format(find_free_port()))
