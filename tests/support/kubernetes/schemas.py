"""JSON schemas of Kubernetes' objects, strict, as kubeconform reads them: one file a kind."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import yaml

from support.kubernetes import programs

Schema = dict[str, Any]
_SWAGGER: Final = Path("api", "openapi-spec", "swagger.json")
_OPERATOR: Final = Path("example", "prometheus-operator-crd")
_REFERENCE: Final = "#/definitions/"
_KINDS: Final = "x-kubernetes-group-version-kind"
# What the file of a kind is called, for kubeconform's -schema-location.
LOCATION: Final = "{{.ResourceKind}}{{.KindSuffix}}.json"


def write(folder: Path) -> int:
    """Write the schemas of Kubernetes and of Prometheus' operator; return how many there are."""
    swagger = programs.sources(programs.KUBERNETES, "server") / _SWAGGER
    definitions = json.loads(swagger.read_text(encoding="utf-8"))["definitions"]
    found = {**_of_kubernetes(definitions), **dict(_of_operator())}
    for name, schema in found.items():
        (folder / name).write_text(json.dumps(schema), encoding="utf-8")
    return len(found)


def custom_resources() -> list[dict[str, Any]]:
    """The definitions of what Prometheus' operator adds to an API server, of those that we use."""
    folder = programs.sources(programs.OPERATOR, "operator") / _OPERATOR
    names = ("prometheusrules", "servicemonitors")
    return [
        yaml.safe_load((folder / f"monitoring.coreos.com_{name}.yaml").read_text(encoding="utf-8"))
        for name in names
    ]


def _name(group: str, version: str, kind: str) -> str:
    # kubeconform leaves all but the first word of a group out.
    first = f"-{group.partition('.')[0]}" if group else ""
    return f"{kind.lower()}{first}-{version}.json".lower()


def _of_kubernetes(definitions: dict[str, Schema]) -> dict[str, Schema]:
    found: dict[str, Schema] = {}
    for definition in definitions.values():
        for one in definition.get(_KINDS, []):
            name = _name(one["group"], one["version"], one["kind"])
            found[name] = _strict(definition, definitions, ())
    return found


def _of_operator() -> Iterator[tuple[str, Schema]]:
    for definition in custom_resources():
        spec = definition["spec"]
        for version in spec["versions"]:
            schema = version["schema"]["openAPIV3Schema"]
            name = _name(spec["group"], version["name"], spec["names"]["kind"])
            yield name, _strict(schema, {}, ())


def _strict(value: Any, definitions: dict[str, Schema], above: tuple[str, ...]) -> Any:
    """A schema without references, which refuses names that it does not know."""
    match value:
        case {"$ref": str(reference)}:
            name = reference.removeprefix(_REFERENCE)
            if name in above:  # of itself, as schemas are
                return {"type": ["object", "null"]}
            return _strict(definitions[name], definitions, (*above, name))
        case {"format": "int-or-string"} | {"x-kubernetes-int-or-string": True}:
            return {"type": ["string", "integer", "null"]}
        case dict():
            result = {
                key: _strict(item, definitions, above)
                for key, item in value.items()
                if not key.startswith("x-")
            }
            is_open = "additionalProperties" in result or "properties" not in result
            if result.get("type") == "object" and not is_open:
                result["additionalProperties"] = False
            if isinstance(kind := result.get("type"), str):
                result["type"] = [kind, "null"]
            return result
        case list():
            return [_strict(item, definitions, above) for item in value]
        case _:
            return value
