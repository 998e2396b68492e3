from typing import Annotated, Any

import pytest
from fastapi import Depends, FastAPI, Query, Request
from fastapi.responses import JSONResponse
from starlette.testclient import TestClient

from predictor.errors import InvalidInput
from predictor.web.query_parameters import refuse_unknown_parameters


async def read_filter(outcome: str = "all") -> str:
    return outcome


app = FastAPI(dependencies=[Depends(refuse_unknown_parameters)])


@app.get("/list/{place}")
async def list_things(
    place: str,
    outcome: Annotated[str, Depends(read_filter)],
    name: Annotated[str, Query(alias="model")] = "any",
    limit: int = 50,
) -> list[Any]:
    return [place, outcome, name, limit]


@app.post("/act")
async def act() -> str:
    return "done"


@app.exception_handler(InvalidInput)
async def answer_invalid_input(_: Request, error: InvalidInput) -> JSONResponse:
    return JSONResponse(error.problems, 422)


@pytest.fixture
def client() -> TestClient:
    return TestClient(app)


def test_known_parameters_are_taken_of_the_call_and_of_its_dependencies(client: TestClient) -> None:
    reply = client.get("/list/here?outcome=good&model=ames&limit=7")

    assert reply.json() == ["here", "good", "ames", 7]


@pytest.mark.parametrize(
    ("call", "name", "advice"),
    [
        ("GET /list/here?outcom=good", "outcom", "Did you mean 'outcome'?"),
        ("GET /list/here?limit=7&Limits=8", "Limits", "Did you mean 'limit'?"),
        ("GET /list/here?modle=ames", "modle", "Did you mean 'model'?"),
        ("GET /list/here?name=ames", "name", "The call takes model, limit, outcome"),
        ("GET /list/here?place=x", "place", "The call takes model, limit, outcome"),
        ("GET /list/here?=", "", "The call takes model, limit, outcome"),
        ("POST /act?limit=7", "limit", "The call takes none"),
    ],
)
def test_unknown_parameter_is_refused_with_the_one_that_was_likely_meant(
    client: TestClient, call: str, name: str, advice: str
) -> None:
    method, path = call.split()

    reply = client.request(method, path)

    assert reply.status_code == 422
    (problem,) = reply.json()
    assert (problem["type"], problem["loc"]) == ("extra_forbidden", ["query", name])
    assert problem["msg"].startswith("Unknown parameter. ")
    assert advice in problem["msg"]


def test_value_is_echoed_only_when_it_is_short(client: TestClient) -> None:
    short, long = client.get(f"/list/here?a=1&b={'x' * 201}").json()

    assert short["input"] == "1"
    assert "input" not in long


def test_problems_are_limited_when_everything_is_unknown(client: TestClient) -> None:
    query = "&".join(f"p{number}=1" for number in range(1000))

    assert len(client.get(f"/list/here?{query}").json()) == 100


@pytest.mark.parametrize("query", ["?", "?&&"])
def test_query_without_parameters_is_as_good_as_none(client: TestClient, query: str) -> None:
    assert client.post(f"/act{query}").json() == "done"


@pytest.mark.parametrize(
    "query", ["limit=1&limit=2", "limit=1&limit=1", "limit=&limit=1", "limit=1&model=a&%6cimit=2"]
)
def test_parameter_that_is_given_twice_is_refused(client: TestClient, query: str) -> None:
    reply = client.get(f"/list/here?{query}")

    assert reply.status_code == 422
    assert reply.json() == [
        {
            "type": "duplicate_parameter",
            "loc": ["query", "limit"],
            "msg": "Parameter is given more than once",
        }
    ]


def test_long_name_is_not_repeated_whole(client: TestClient) -> None:
    (problem,) = client.get(f"/list/here?{'x' * 30_000}=1").json()

    assert problem["loc"] == ["query", f"{'x' * 200}…"]
