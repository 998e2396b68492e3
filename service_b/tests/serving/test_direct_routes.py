import pytest
from fastapi import APIRouter, FastAPI, Request, Response
from starlette.testclient import TestClient

from predictor.errors import BodyTimeout, ModelNotFound, PredictorError
from predictor.serving.direct_routes import Shortcut

router = APIRouter()


class NoSuchErrorYet(PredictorError):
    """An error that has no handler."""


class SlowBody(BodyTimeout):
    """An error whose base has a handler."""


@router.post("/hot")
async def answer_fast(request: Request) -> Response:
    raised = {"late": SlowBody, "new": NoSuchErrorYet, "broken": KeyError}
    wanted = (await request.body()).decode()
    if wanted in raised:
        raise raised[wanted]
    return Response(f"{request.scope['route'].path} got {wanted}")


@router.post("/hot/{name}")
async def answer_by_name(name: str) -> str:
    return name


@pytest.fixture
def client() -> TestClient:
    app = FastAPI()
    app.include_router(router)

    async def answer_late(_: Request, __: Exception) -> Response:
        return Response("late", status_code=408)

    handlers = {BodyTimeout: answer_late, ModelNotFound: answer_late}
    return TestClient(Shortcut(app, router.routes, handlers))


def test_endpoint_is_called_with_its_request(client: TestClient) -> None:
    assert client.post("/hot", content="this").text == "/hot got this"


def test_other_methods_and_paths_are_left_to_the_framework(client: TestClient) -> None:
    assert client.get("/hot").status_code == 405
    assert client.post("/hot/", follow_redirects=False).status_code == 307
    assert client.post("/cold").status_code == 404


def test_route_with_a_name_in_its_path_is_left_to_the_framework(client: TestClient) -> None:
    for name in ("this", "{name}"):
        assert client.post(f"/hot/{name}").json() == name


def test_error_is_answered_by_the_handler_of_its_nearest_base(client: TestClient) -> None:
    assert client.post("/hot", content="late").status_code == 408


@pytest.mark.parametrize(("wanted", "error"), [("new", NoSuchErrorYet), ("broken", KeyError)])
def test_error_goes_on_when_nobody_handles_it(
    client: TestClient, wanted: str, error: type[Exception]
) -> None:
    with pytest.raises(error):
        client.post("/hot", content=wanted)
