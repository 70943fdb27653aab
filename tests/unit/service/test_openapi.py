"""What the OpenAPI document promises of every operation."""

import json
from importlib.metadata import version
from typing import Any

import pytest
from fastapi import FastAPI
from pydantic import BaseModel

PROBLEM = {"$ref": "#/components/schemas/Problem"}
INTERNAL = {"/readyz", "/metrics", "/jobs/status"}


@pytest.fixture
def document(app: FastAPI) -> dict[str, Any]:
    return app.openapi()


def operations(document: dict[str, Any]) -> list[tuple[str, dict[str, Any]]]:
    return [
        (f"{method} {path}", operation)
        for path, item in document["paths"].items()
        for method, operation in item.items()
    ]


def test_every_error_is_a_problem_document_with_an_example(document: dict[str, Any]):
    seen = 0
    for name, operation in operations(document):
        assert "500" in operation["responses"], name
        for code, response in operation["responses"].items():
            if code < "400" or "application/json" in response["content"]:
                continue
            content = response["content"]["application/problem+json"]
            assert content["schema"] == PROBLEM, name
            assert content["example"]["status"] == int(code), name
            seen += 1
    assert seen > len(operations(document))
    assert "HTTPValidationError" not in str(document)


def test_writes_name_the_errors_of_a_body(document: dict[str, Any]):
    writes = [(name, one) for name, one in operations(document) if name.startswith("post ")]
    assert writes
    for name, operation in writes:
        named = operation["responses"].keys()
        assert {"202", "400", "401", "403", "413", "422", "429", "500", "503"} <= named, name


def test_every_response_carries_the_request_id(document: dict[str, Any]):
    for name, operation in operations(document):
        for response in operation["responses"].values():
            assert "X-Request-ID" in response["headers"], name


def test_every_path_but_liveness_needs_a_key_or_the_token(document: dict[str, Any]):
    token = [{"internalToken": []}]
    for path, item in document["paths"].items():
        security = item[next(iter(item))].get("security", [])
        if path in INTERNAL:
            assert security == token, path
        elif path == "/healthz":
            assert security == [{}, *token]
        elif path == "/livez":
            assert security == []
        else:
            assert security == [{"callerKey": []}], path
    for scheme in ("internalToken", "callerKey"):
        assert document["components"]["securitySchemes"][scheme]["scheme"] == "bearer"


def test_the_document_states_the_version_that_is_installed(document: dict[str, Any]):
    assert document["info"]["version"] == version("glasshouse-backend")


def test_every_body_has_an_example(document: dict[str, Any]):
    schemas = document["components"]["schemas"]
    seen: set[str] = set()
    for name, operation in operations(document):
        bodies = [operation["requestBody"]] if "requestBody" in operation else []
        for body in [*bodies, *operation["responses"].values()]:
            for media, content in body.get("content", {}).items():
                reference = content.get("schema", {}).get("$ref", "").rpartition("/")[2]
                exemplified = "example" in content or "examples" in schemas.get(reference, {})
                assert exemplified, (name, media)
                seen.add(reference)
    named = {"PaymentIn", "RunIn", "NotificationIn", "ContactIn", "JobsOut", "Problem"}
    assert named <= seen


def models(parent: type[BaseModel] = BaseModel) -> dict[str, type[BaseModel]]:
    """The bodies of the API by the name that they have in the document."""
    found: dict[str, type[BaseModel]] = {}
    for model in parent.__subclasses__():
        found |= models(model)
        if model.__module__.startswith("backend.api."):
            found[model.__name__] = model
    return found


def test_every_example_is_valid_and_complete(document: dict[str, Any]):
    seen: set[str] = set()
    for name, schema in document["components"]["schemas"].items():
        for example in schema.get("examples", []):
            model = models()[name]
            # As JSON: there a text may be a time or a state, and nothing else may be either.
            body = model.model_validate_json(json.dumps(example))
            assert body.model_dump(by_alias=True).keys() == example.keys(), name
            seen.add(name)
    assert {"Accepted", "PaymentOut", "RunAccepted", "RunOut", "NotificationOut", "JobsOut"} <= seen
