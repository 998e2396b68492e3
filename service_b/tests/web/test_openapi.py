import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from fastapi.testclient import TestClient

from predictor.card import ModelCard
from predictor.settings import SERVICE_FOLDER


@pytest.fixture
def contract(client: TestClient) -> Any:
    return client.get("/openapi.json").json()


def follow(contract: dict[str, Any], reference: str) -> Any:
    """What `#/components/schemas/Name` refers to."""
    value: Any = contract
    for part in reference.removeprefix("#/").split("/"):
        value = value[part]
    return value


def read_body_schema(contract: dict[str, Any], path: str) -> Any:
    content = contract["paths"][path]["post"]["requestBody"]["content"]
    schema = content["application/json"]["schema"]
    return follow(contract, schema["$ref"]) if "$ref" in schema else schema


def test_contract_lists_every_route(contract: dict[str, Any]) -> None:
    routes = {(method, path) for path, item in contract["paths"].items() for method in item}
    assert routes == {
        ("get", "/"),
        ("get", "/metrics"),
        ("get", "/health"),
        ("get", "/livez"),
        ("post", "/predict"),
        ("post", "/predict/batch"),
        ("get", "/models"),
        ("get", "/models/{name}"),
        ("get", "/models/{name}/challenger"),
        ("post", "/models/tiny/predict"),
        ("post", "/models/tiny/predict/batch"),
        ("post", "/reload"),
        ("get", "/ping"),
        ("get", "/version"),
        ("post", "/invocations"),
    }


def test_every_reference_leads_somewhere(contract: dict[str, Any]) -> None:
    references = set(re.findall(r"'\$ref': '([^']*)'", str(contract)))
    assert len(references) > 5
    for reference in references:
        assert follow(contract, reference)


def test_bodies_take_the_inputs_of_the_model(contract: dict[str, Any]) -> None:
    one = read_body_schema(contract, "/predict")
    many = read_body_schema(contract, "/predict/batch")
    reference = "#/components/schemas/TinyInput"
    assert one["properties"]["input"]["$ref"] == reference
    # Anything else among them gets an error of its own.
    assert many["properties"]["inputs"]["items"] == {"anyOf": [{"$ref": reference}, {}]}
    assert (many["properties"]["inputs"]["minItems"], many["properties"]["inputs"]["maxItems"]) == (
        1,
        1000,
    )
    for body, field in ((one, "input"), (many, "inputs")):
        assert body["additionalProperties"] is False
        assert body["required"] == [field]


def test_input_names_every_feature_of_the_card(contract: dict[str, Any], card: ModelCard) -> None:
    schema = follow(contract, "#/components/schemas/TinyInput")
    first = schema["required"]
    assert list(schema["properties"])[: len(first)] == first
    assert set(schema["properties"]) == {feature.name for feature in card.features}
    for feature in card.features:
        field = schema["properties"][feature.name]
        domain = field["anyOf"][0] if feature.nullable else field
        assert feature.meaning.rstrip(".") in field["description"]
        assert domain.get("minimum") == feature.minimum
        assert domain.get("maximum") == feature.maximum
        assert domain.get("enum") == (feature.categories and list(feature.categories))


def test_examples_are_answered_when_they_are_sent(
    client: TestClient, contract: dict[str, Any]
) -> None:
    for path, item in contract["paths"].items():
        if "post" in item:
            body = item["post"].get("requestBody")
            named = body["content"]["application/json"]["examples"] if body else {}
            example = next(iter(named.values()))["value"] if body else None
            assert client.post(path, json=example).status_code == 200


@pytest.mark.parametrize("path", ["/predict", "/predict/batch", "/models/california/predict"])
def test_each_named_example_is_answered_as_the_contract_shows(
    ames_client: TestClient, path: str
) -> None:
    operation = ames_client.get("/openapi.json").json()["paths"][path]["post"]
    examples = operation["requestBody"]["content"]["application/json"]["examples"]
    assert {"all facts", "wrong"} < examples.keys()
    assert ("four facts" in examples) is ("california" not in path)
    for name, example in examples.items():
        answer = ames_client.post(path, json=example["value"])
        shown = operation["responses"][str(answer.status_code)]["content"]["application/json"]
        assert answer.json() == shown["examples"][name]["value"]


def test_invocations_list_every_model_with_its_real_answers(ames_client: TestClient) -> None:
    operation = ames_client.get("/openapi.json").json()["paths"]["/invocations"]["post"]
    assert operation["parameters"][0]["schema"]["enum"] == ["ames", "california"]
    shown = operation["responses"]["200"]["content"]["application/json"]["examples"]
    for name, example in operation["requestBody"]["content"]["application/json"][
        "examples"
    ].items():
        model = name.partition(",")[0]
        answer = ames_client.post(f"/invocations?model={model}", json=example["value"])
        if "wrong" in name:
            assert answer.status_code == 400
        else:
            # What is shown is rounded to cents.
            [price] = answer.json()["predictions"]
            assert {"predictions": [round(price, 2)]} == shown[name]["value"]


@pytest.mark.parametrize("path", ["/predict", "/predict/batch", "/invocations"])
def test_answer_without_a_model_is_as_the_contract_shows(
    ames_client: TestClient, empty_client: TestClient, path: str
) -> None:
    operation = ames_client.get("/openapi.json").json()["paths"][path]["post"]
    shown = operation["responses"]["503"]["content"]["application/json"]["examples"]["no model"]
    answer = empty_client.post(path, json={})
    assert (answer.status_code, answer.json()) == (503, shown["value"])


def test_contract_is_made_anew_only_when_a_version_is_loaded(
    client: TestClient, write_version: Callable[..., Path]
) -> None:
    before = client.app.openapi()  # type: ignore[attr-defined]
    assert client.app.openapi() is before  # type: ignore[attr-defined]
    write_version("2", description="Learned from eight more.")
    client.post("/reload")
    schemas = client.get("/openapi.json").json()["components"]["schemas"]
    assert schemas["TinyInput"]["description"] == "Learned from eight more."


def test_committed_contract_is_the_one_of_the_shipped_models(ames_client: TestClient) -> None:
    committed = json.loads((SERVICE_FOLDER / "openapi.json").read_bytes())
    assert ames_client.get("/openapi.json").json() == committed, (
        "write it anew: python main.py openapi --output openapi.json"
    )


def test_contract_has_the_routes_when_no_model_is_loaded(empty_client: TestClient) -> None:
    contract = empty_client.get("/openapi.json").json()
    assert read_body_schema(contract, "/predict") == {"type": "object"}
    assert read_body_schema(contract, "/predict/batch") == {"type": "object"}


def test_errors_are_json_whatever_the_answer_is(contract: Any) -> None:
    types = {
        media_type
        for operations in contract["paths"].values()
        for operation in operations.values()
        for status, answer in operation["responses"].items()
        for media_type in answer.get("content", ())
        if status != "200"
    }

    assert types == {"application/json"}
