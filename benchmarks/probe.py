"""Single questions to a server, asked from here."""

import http.client
import time

from benchmarks.server import Server

_PAUSE_SECONDS = 0.01


def probe_health(server: Server, seconds: float) -> list[float]:
    """Ask for `/health` again and again on one connection; return the times in ms."""
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=30)
    waits_ms = []
    end = time.monotonic() + seconds
    try:
        connection.connect()
        while time.monotonic() < end:
            started = time.perf_counter()
            connection.request("GET", "/health")
            response = connection.getresponse()
            response.read()
            waits_ms.append((time.perf_counter() - started) * 1000)
            if response.status != 200:
                raise http.client.HTTPException(f"/health answered {response.status}")
            time.sleep(_PAUSE_SECONDS)
    finally:
        connection.close()
    return waits_ms
