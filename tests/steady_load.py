"""Callers who send on and on, keep their connections, and remember what became of each request."""

import http.client
import itertools
import json
import threading
import time
import uuid
from typing import NamedTuple, Self

from tests.running_script import HOUSE


class Reply(NamedTuple):
    request_id: str
    sent_at: float  # time.monotonic()
    status: int | str  # or the name of the error that came instead


class SteadyLoad:
    """Requests for a price at a fixed rate, from some callers at a time, until it is left."""

    def __init__(self, port: int, *, per_second: float, callers: int = 8) -> None:
        self.replies: list[Reply] = []
        self._port = port
        self._per_second = per_second
        self._turns = itertools.count()
        self._ended = threading.Event()
        self._started_at = time.monotonic()
        self._threads = [threading.Thread(target=self._call) for _ in range(callers)]

    def __enter__(self) -> Self:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        for thread in self._threads:
            thread.join()

    def _call(self) -> None:
        connection = http.client.HTTPConnection("127.0.0.1", self._port, timeout=15)
        while True:
            due = self._started_at + next(self._turns) / self._per_second
            if self._ended.wait(max(0, due - time.monotonic())):
                break
            request_id, sent_at = uuid.uuid4().hex, time.monotonic()
            try:
                status: int | str = self._send(connection, request_id)
            except (OSError, http.client.HTTPException) as error:
                status = type(error).__name__
                connection.close()
            self.replies.append(Reply(request_id, sent_at, status))
        connection.close()

    def _send(self, connection: http.client.HTTPConnection, request_id: str) -> int:
        headers = {"Content-Type": "application/json", "X-Request-ID": request_id}
        connection.request("POST", "/process", json.dumps({"data": HOUSE}), headers)
        with connection.getresponse() as response:
            response.read()
            return response.status

    @property
    def failures(self) -> list[Reply]:
        return [reply for reply in self.replies if reply.status != 200]

    @property
    def acknowledged(self) -> set[str]:
        return {reply.request_id for reply in self.replies if reply.status == 200}
