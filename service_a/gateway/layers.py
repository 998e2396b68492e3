"""The layers that a request goes through, from the connection to the endpoint of its route."""

from typing import Any, cast

from fastapi import FastAPI
from fastapi.middleware.cors import CORSMiddleware
from starlette.middleware.errors import ServerErrorMiddleware
from starlette.types import ASGIApp

from gateway.serving.direct_routes import DirectRoutes
from gateway.settings import Settings
from gateway.web.middleware.allowed_hosts import AllowedHosts
from gateway.web.middleware.api_keys import ApiKeys
from gateway.web.middleware.head_requests import HeadRequests
from gateway.web.middleware.json_errors import JsonErrors
from gateway.web.middleware.request_events import RequestEvents
from gateway.web.middleware.request_line import RequestLine
from gateway.web.middleware.root_path import WithoutRootPath, WithRootPath
from gateway.web.openapi import build_openapi
from gateway.web.routes import instances, price, process

# How long a browser may keep the answer to a preflight.
_PREFLIGHT_SECONDS = 3600


class Gateway(FastAPI):
    """The framework with the gateway's own layers around it, and its own OpenAPI document."""

    def build_middleware_stack(self) -> ASGIApp:
        """Put the layers together; calls of the direct routes don't go through the framework's."""
        settings: Settings = self.state.settings
        framework = cast(ServerErrorMiddleware, super().build_middleware_stack())
        # Without the framework's outermost layer: `RequestLine` answers unexpected errors.
        layers: ASGIApp = HeadRequests(JsonErrors(framework.app))
        if settings.root_path:
            layers = WithRootPath(layers)
        if "direct_routes" not in settings.plain:
            hot_routes = [*process.router.routes, *price.router.routes, *instances.router.routes]
            layers = DirectRoutes(layers, hot_routes, self.exception_handlers)
        if settings.api_keys:
            layers = ApiKeys(layers, settings.api_keys)
        if settings.cors_origins:
            cors = CORSMiddleware(
                layers,
                allow_origins=sorted(settings.cors_origins),
                allow_methods=["GET", "POST", *(["PUT", "DELETE"] if settings.faults else [])],
                allow_headers=["Content-Type", "X-API-Key", "X-Request-ID", "traceparent"],
                expose_headers=["X-Request-ID", "Retry-After", "Server-Timing"],
                max_age=_PREFLIGHT_SECONDS,
            )
            layers = JsonErrors(cors)  # it refuses in plain text
        if settings.allowed_hosts:
            layers = AllowedHosts(layers, settings.allowed_hosts)
        layers = RequestLine(layers, self.state.metrics, self.state.lines)
        layers = RequestEvents(layers, self.state.watchers, self.state.latencies)
        if settings.root_path:
            layers = WithoutRootPath(layers, settings.root_path, self.router.routes)
        return layers

    def openapi(self) -> dict[str, Any]:
        return build_openapi(self)
