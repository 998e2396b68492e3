import json
import re
from typing import Any

import pytest
from starlette.testclient import TestClient

from gateway.web.schemas import EXAMPLE_HOUSE


@pytest.fixture
def document(client: TestClient) -> Any:
    return client.get("/openapi.json").json()


def test_every_route_is_in_the_contract_with_its_errors(document: Any) -> None:
    paths = document["paths"]

    assert {"/", "/health", "/process"} <= paths.keys()
    for path in ("/process", "/api/v1/price/predict", "/api/v1/predict"):
        responses = paths[path]["post"]["responses"]
        assert {"200", "408", "413", "415", "422", "500", "503"} <= responses.keys()
    assert {"200", "503"} <= paths["/health"]["get"]["responses"].keys()


def test_everything_that_is_referred_to_is_there(document: Any) -> None:
    referred = set(re.findall(r'"#/components/schemas/(\w+)"', json.dumps(document)))

    assert {"House", "PriceBatchRequest", "ProcessRequest"} <= referred
    assert referred <= document["components"]["schemas"].keys()


def test_bodies_that_routes_read_themselves_are_described(document: Any) -> None:
    bodies = {
        path: operation["requestBody"]["content"]["application/json"]["schema"]["$ref"]
        for path, operations in document["paths"].items()
        for operation in operations.values()
        if "requestBody" in operation
    }

    assert {path: reference.rpartition("/")[2] for path, reference in bodies.items()} == {
        "/process": "ProcessRequest",
        "/api/v1/price/predict": "House",
        "/api/v1/price/predict/batch": "PriceBatchRequest",
        "/api/v1/predict": "InstancesRequest",
        "/actuals": "ActualsRequest",
    }


def test_house_to_forward_needs_no_id(document: Any) -> None:
    schemas = document["components"]["schemas"]

    house, forwarded = schemas["House"], schemas["HouseToForward"]
    assert {*house["required"]} - {*forwarded["required"]} == {"id"}
    assert forwarded["example"] == EXAMPLE_HOUSE


def test_input_to_process_may_be_anything_but_null(document: Any) -> None:
    schemas = document["components"]["schemas"]

    data = schemas["ProcessRequest"]["properties"]["data"]
    assert data["not"] == {"type": "null"}
    assert "$ref" not in json.dumps(schemas["ProcessRequest"])


def test_number_without_a_fraction_is_called_an_integer(document: Any) -> None:
    year = document["components"]["schemas"]["House"]["properties"]["yearBuilt"]

    assert year["type"] == "integer"
    assert isinstance(year["maximum"], int)
    assert "multipleOf" not in json.dumps(document)


def test_errors_are_json_whatever_the_answer_is(document: Any) -> None:
    types = {
        media_type
        for operations in document["paths"].values()
        for operation in operations.values()
        for status, answer in operation["responses"].items()
        for media_type in answer.get("content", ())
        if status != "200"
    }

    assert types == {"application/json"}
