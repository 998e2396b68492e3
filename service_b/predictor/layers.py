"""The layers that a request goes through, from the connection to the endpoint of its route."""

from typing import Any, cast

from fastapi import FastAPI
from starlette.middleware.errors import ServerErrorMiddleware
from starlette.types import ASGIApp

from predictor.serving.direct_routes import DirectRoutes
from predictor.settings import Settings
from predictor.versions.registry import ModelRegistry
from predictor.web.middleware.allowed_hosts import AllowedHosts
from predictor.web.middleware.api_key import ApiKey
from predictor.web.middleware.fault_layer import FaultLayer
from predictor.web.middleware.head_requests import HeadRequests
from predictor.web.middleware.json_errors import JsonErrors
from predictor.web.middleware.request_line import RequestLine
from predictor.web.middleware.root_path import WithoutRootPath, WithRootPath
from predictor.web.middleware.waiting_callers import WaitingCallers
from predictor.web.openapi import OpenApiDocument
from predictor.web.routes import predict


class Predictor(FastAPI):
    """The framework with the predictor's own layers around it, and its own OpenAPI document."""

    def build_middleware_stack(self) -> ASGIApp:
        """Put the layers together; calls of the direct routes don't go through the framework's."""
        settings: Settings = self.state.settings
        framework = cast(ServerErrorMiddleware, super().build_middleware_stack())
        # Without the framework's outermost layer: `RequestLine` answers unexpected errors.
        layers: ASGIApp = HeadRequests(JsonErrors(framework.app))
        if settings.root_path:
            layers = WithRootPath(layers)
        if "direct_routes" not in settings.plain:
            layers = DirectRoutes(layers, predict.router.routes, self.exception_handlers)
        if self.state.shadows:
            layers = WaitingCallers(layers, self.state.calls)
        if settings.api_key is not None:
            layers = ApiKey(layers, settings.api_key)
        if settings.allowed_hosts:
            layers = AllowedHosts(layers, settings.allowed_hosts)
        if settings.faults:
            registry: ModelRegistry = self.state.registry
            layers = FaultLayer(layers, self.state.faults, registry.default_name)
        layers = RequestLine(layers, self.state.metrics, self.state.lines)
        if settings.root_path:
            layers = WithoutRootPath(layers, settings.root_path, self.router.routes)
        return layers

    def openapi(self) -> dict[str, Any]:
        document: OpenApiDocument = self.state.openapi_document
        return document.build()
