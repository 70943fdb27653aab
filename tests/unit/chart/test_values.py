"""A wrong value stops Helm, with its name and what to do; nothing is rendered."""

import json
import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from support import chart
from support.chart import Changes

pytestmark = [pytest.mark.slow, pytest.mark.timeout(7200)]  # the first compiles Helm

SCHEMA: dict[str, Any] = json.loads(
    (chart.CHART / "values.schema.json").read_text(encoding="utf-8")
)


def refusal(changes: Changes, values: Path = chart.PRODUCTION) -> str:
    made = chart.template(values, changes=changes)
    assert made.returncode != 0, "it was rendered"
    assert made.stdout == ""
    return made.stderr


def test_helm_itself_finds_nothing_to_say() -> None:
    for values in (chart.STAGING, chart.PRODUCTION):
        linted = chart.helm("lint", str(chart.CHART), "--strict", f"--values={values}")
        assert linted.returncode == 0, linted.stdout + linted.stderr
        assert "0 chart(s) failed" in linted.stdout


def test_the_values_alone_are_not_enough_and_say_so() -> None:
    assert "image.repository" in re.sub("/", ".", refusal({}, chart.CHART / "values.yaml"))


@pytest.mark.parametrize(
    ("changes", "place"),
    [
        ({"imag": {}}, "imag"),
        ({"image": {"tag": "latest", "digest": ""}}, "image/tag"),
        ({"image": {"tag": "", "digest": ""}}, "image"),
        ({"image": {"digest": "sha256:abc"}}, "image/digest"),
        ({"image": {"repository": "Upper Case"}}, "image/repository"),
        ({"edge": {"kind": "Deployment"}}, "edge/kind"),
        ({"edge": {"to": "loki"}}, "edge/to"),
        ({"edge": {"gateway": "http://gateway:4318"}}, "edge/gateway"),
        ({"edge": {"auth": "password"}}, "edge/auth"),
        ({"edge": {"senders": []}}, "edge/senders"),
        ({"edge": {"senders": [{}]}}, "edge/senders/0"),
        ({"edge": {"senders": [{"pods": {}}]}}, "edge/senders/0"),
        ({"edge": {"queue": {"size": "4GB"}}}, "edge/queue/size"),
        ({"edge": {"drainSeconds": 0}}, "edge/drainSeconds"),
        ({"edge": {"resources": {"limits": {"memory": None}}}}, "edge/resources/limits"),
        ({"edge": {"resources": {"limits": {"memory": "half"}}}}, "edge/resources/limits/memory"),
        ({"edge": {"secrets": {"token": {"value": "s3cret"}}}}, "edge/secrets/token"),
        ({"gateway": {"replicas": 0}}, "gateway/replicas"),
        ({"gateway": {"replicas": "2"}}, "gateway/replicas"),
        ({"gateway": {"tenants": {"edge": "two words"}}}, "gateway/tenants/edge"),
        ({"gateway": {"kafka": {"brokers": "kafka"}}}, "gateway/kafka/brokers"),
        ({"backends": {"loki": {"address": "loki:3100"}}}, "backends/loki/address"),
        ({"backends": {"loki": {"retention": "two weeks"}}}, "backends/loki/retention"),
        ({"backends": {"ports": ["http"]}}, "backends/ports/0"),
        ({"monitoring": {"as": "prometheus"}}, "monitoring/as"),
        ({"monitoring": {"runbooks": "git.example"}}, "monitoring/runbooks"),
        ({"monitoring": {"scrapers": []}}, "monitoring/scrapers"),
        ({"networkPolicy": {"dns": []}}, "networkPolicy/dns"),
    ],
    ids=str,
)
def test_a_wrong_value_is_named(changes: Changes, place: str) -> None:
    said = refusal(changes)
    # Helm names the place with slashes or with dots, by its version.
    assert place in said or place.replace("/", ".") in said, said


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (
            {"gateway": {"enabled": False}},
            "edge.gateway is empty and gateway.enabled is false: set the address of a gateway",
        ),
        (
            {"edge": {"gateway": "https://gateway.example:4318"}},
            "edge.gatewayPeers is empty, so no edge would reach edge.gateway: set who that is",
        ),
        ({"edge": {"to": "kafka"}}, "edge.kafka.brokers is empty: set host:port of each broker"),
        (
            {"edge": {"to": "kafka", "kafka": {"brokers": "kafka:9092"}}},
            "edge.kafka.tenant is empty: set whose topics the edges write",
        ),
        (
            {"edge": {"to": "kafka", "kafka": {"brokers": "kafka:9092", "tenant": "a"}}},
            "edge.kafka.peers is empty, so no edge would reach a broker: set who they are",
        ),
        ({"gateway": {"from": "kafka"}}, "edge.to is gateway, but gateway.from is kafka: set edge"),
        (
            {"edge": {"kind": "None"}, "gateway": {"from": "kafka"}},
            "gateway.kafka.peers is empty, so no gateway would reach a broker: set who they are",
        ),
        (
            {"gateway": {"tenants": None}},
            "gateway.tenants is empty, so no edge would be taken: set `name in the edge",
        ),
        (
            {"backends": {"loki": {"run": True}}},
            "backends.loki has an address and run: true: choose one",
        ),
        (
            {"backends": {"tempo": {"address": ""}}},
            "backends.tempo: set address, or run: true for one of a single machine's size",
        ),
        ({"backends": {"peers": []}}, "backends.peers is empty, so no gateway would reach"),
        (
            {"gateway": {"autoscaling": {"minReplicas": 9, "maxReplicas": 3}}},
            "gateway.autoscaling: minReplicas is over maxReplicas",
        ),
    ],
    ids=str,
)
def test_values_that_contradict_each_other_are_refused(changes: Changes, message: str) -> None:
    said = refusal(changes)
    assert [line.startswith("Error: ") for line in said.splitlines() if message in line] == [True]


def test_a_long_name_of_the_release_is_refused() -> None:
    name = "a" * 37
    made = chart.helm("template", name, str(chart.CHART), f"--values={chart.PRODUCTION}")
    assert made.returncode != 0
    assert f'the release\'s name "{name}" has over 36 characters' in made.stderr


def places(value: Any, path: str = "") -> set[str]:
    if isinstance(value, dict) and value:
        return {
            place
            for key, item in value.items()
            for place in places(item, f"{path}.{key}".strip("."))
        }
    return {path}


def known(schema: dict[str, Any], path: str = "") -> set[str]:
    if "$ref" in schema:
        schema = SCHEMA["definitions"][schema["$ref"].rpartition("/")[2]]
    inside = schema.get("properties", {})
    if not inside or path.endswith((".image", ".peer")):
        return {path}
    return {
        place for key, item in inside.items() for place in known(item, f"{path}.{key}".strip("."))
    }


def test_every_value_that_may_be_set_has_a_default() -> None:
    values = yaml.safe_load((chart.CHART / "values.yaml").read_text(encoding="utf-8"))
    defaults = places(values)
    missing = {
        place
        for place in known(SCHEMA)
        if not any(one == place or one.startswith(f"{place}.") for one in defaults)
    }
    assert missing == {"global"}  # Helm's own


def test_every_object_has_values_whose_names_are_known() -> None:
    """A value that is spelled wrong would else be passed over."""

    def closed(schema: dict[str, Any], path: str) -> None:
        if schema.get("type") == "object" and "properties" in schema:
            assert schema["additionalProperties"] is False, path
        for key, item in schema.get("properties", {}).items():
            closed(item, f"{path}.{key}")

    closed(SCHEMA, "")
    for name, definition in SCHEMA["definitions"].items():
        closed(definition, name)
