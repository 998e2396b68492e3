"""How files are read from a web server: within limits of time and size, and only where allowed."""

from typing import Any

from aiohttp import ClientResponse, ClientTimeout, TraceConfig, TraceRequestRedirectParams
from yarl import URL

from predictor.errors import SourceUnavailable
from predictor.version import make_size_error
from predictor.versions.allowed_sources import AllowedSources

# How long the model's watcher waits for a server that hangs, or that sends very slowly.
_CONNECT_SECONDS = 5
_READ_SECONDS = 30
_TOTAL_SECONDS = 300


def make_options(allowed: AllowedSources, max_bytes: int) -> dict[str, Any]:
    """Make what fsspec's file system for HTTP takes."""

    async def check_redirect(_: Any, __: Any, redirect: TraceRequestRedirectParams) -> None:
        response = redirect.response
        target = response.headers.get("Location") or response.headers.get("URI") or ""
        url = response.url.join(URL(target))
        if not allowed.allow_redirect(str(response.url), str(url)):
            response.close()
            raise SourceUnavailable(f"{response.url} redirects to {url}, which isn't allowed")

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
    redirects = TraceConfig()
    redirects.on_request_redirect.append(check_redirect)
    return {
        # fsspec would give what another source has opened, with other limits.
        "skip_instance_cache": True,
        "client_kwargs": {
            "timeout": timeout,
            "response_class": BoundedResponse,
            "trace_configs": [redirects],
        },
    }
