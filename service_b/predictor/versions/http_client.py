"""How files are read from a web server: for a limited time, and a limited number of bytes."""

from typing import Any

from aiohttp import ClientResponse, ClientTimeout

from predictor.version import make_size_error

# How long the model's watcher waits for a server that hangs, or that sends very slowly.
_CONNECT_SECONDS = 5
_READ_SECONDS = 30
_TOTAL_SECONDS = 300


def make_options(max_bytes: int) -> dict[str, Any]:
    """Make what fsspec's file system for HTTP takes."""

    class BoundedResponse(ClientResponse):
        """Stops at the limit, whatever length the server has announced, if any."""

        async def read(self) -> bytes:
            if self._body is None:
                body = bytearray()
                async for chunk in self.content.iter_any():
                    body += chunk
                    if len(body) > max_bytes:
                        self.close()
                        raise make_size_error(str(self.url), max_bytes)
                self._body = bytes(body)
            return await super().read()

    timeout = ClientTimeout(
        total=_TOTAL_SECONDS, sock_connect=_CONNECT_SECONDS, sock_read=_READ_SECONDS
    )
    return {"client_kwargs": {"timeout": timeout, "response_class": BoundedResponse}}
