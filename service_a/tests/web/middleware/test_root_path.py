import pytest
from fastapi import FastAPI, Request
from fastapi.responses import PlainTextResponse
from starlette.testclient import TestClient
from starlette.types import Receive, Scope, Send

from gateway.web.middleware.root_path import WithoutRootPath, WithRootPath

app = FastAPI(redirect_slashes=False)


@app.get("/")
@app.get("/health")
@app.post("/api/v1/predict")
@app.get("/inputs/{name}")
async def answer(request: Request) -> PlainTextResponse:
    path: str = request.scope["route"].path
    return PlainTextResponse(path)


class FakeLayer:
    """Notes what a layer between the two sees, before the call and after it."""

    def __init__(self) -> None:
        self.seen: list[str] = []

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        self.seen.append(scope["path"])
        await WithRootPath(app)(scope, receive, send)
        self.seen.append(scope["path"])


@pytest.mark.parametrize(
    ("root_path", "path", "own", "route"),
    [
        ("/lab", "/lab/", "/", "/"),
        ("/lab", "/", "/", "/"),
        ("/lab", "/lab/health", "/health", "/health"),
        ("/lab", "/health", "/health", "/health"),
        ("/lab/a", "/lab/a/inputs/r1", "/inputs/r1", "/inputs/{name}"),
        ("/lab", "/lab/openapi.json", "/openapi.json", None),
        # The root path is also the beginning of a path of the service's own.
        ("/api", "/api/v1/predict", "/api/v1/predict", "/api/v1/predict"),
        ("/api", "/api/api/v1/predict", "/api/v1/predict", "/api/v1/predict"),
        ("/inputs", "/inputs/inputs/r1", "/inputs/r1", "/inputs/{name}"),
        ("/inputs", "/inputs/r1", "/inputs/r1", "/inputs/{name}"),
    ],
)
def test_call_finds_its_route_whether_or_not_the_proxy_takes_the_root_path_off(
    root_path: str, path: str, own: str, route: str | None
) -> None:
    layer = FakeLayer()
    client = TestClient(WithoutRootPath(layer, root_path, app.router.routes))
    method = "POST" if own.startswith("/api") else "GET"

    reply = client.request(method, path)

    assert reply.status_code == 200
    assert layer.seen == [own, own]
    assert route in (None, reply.text)


@pytest.mark.parametrize("path", ["/lab", "/laboratory/health", "/lab/nothing", "/lab/lab/health"])
def test_call_of_another_path_is_not_found(path: str) -> None:
    client = TestClient(WithoutRootPath(FakeLayer(), "/lab", app.router.routes))

    assert client.get(path).status_code == 404
