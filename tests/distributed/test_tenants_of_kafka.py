"""Whose a record is behind Kafka, and what bad input comes to: one clear line, nothing lost."""

import contextlib
import secrets
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from glasshouse.testing.otlp_json import attribute
from support import otlp
from support.arrivals import TENANT_HEADER
from support.behind_kafka import GATEWAYS, STRANGER, TENANTS, Estate
from support.collector_process import Collector
from support.edges import certificate_files
from support.kafka import BROKERS, needs_java
from support.waiting import until

pytestmark = needs_java
TENANT = "glasshouse.tenant"


def send(to: Collector, *bodies: str, **items: Any) -> None:
    """Each in a trace of its own, so in a message of its own."""
    with otlp.Sender(to.otlp, "shop", to.sender) as sender:
        for body in bodies:
            sender.logs([otlp.log(body, items) | {"traceId": secrets.token_hex(16)}])


def tenants_of(estate: Estate, *bodies: str) -> dict[str, set[tuple[str, str]]]:
    """Where each of these has come: the header's tenant, and the resource's."""
    found: dict[str, set[tuple[str, str]]] = {}
    for request in tuple(estate.sink.requests):
        if not request.path.endswith("/v1/logs"):
            continue
        header = request.headers.get(TENANT_HEADER, "")
        for resource in estate.sink.decoded(request).get("resourceLogs", []):
            own = attribute(resource["resource"], TENANT) or ""
            for scope in resource["scopeLogs"]:
                for record in scope["logRecords"]:
                    body = record["body"].get("stringValue", "")
                    if body in bodies:
                        found.setdefault(body, set()).add((header, own))
    return found


def until_at(estate: Estate, tenant: str, *bodies: str) -> None:
    """Wait until all of these have come, under this tenant and no other."""
    wanted = {body: {(tenant, tenant)} for body in bodies}

    def come() -> tuple[bool | None, object]:
        found = tenants_of(estate, *bodies)
        for body, places in found.items():
            assert places == wanted[body], f"{body} is at {places}"
        return found == wanted or None, found

    until(come, what=f"{len(bodies)} records of {tenant}")


def until_logged(collector: Collector, *words: str) -> str:
    """Wait until a line has all these words; return it."""

    def logged() -> tuple[str | None, object]:
        lines = collector.log.read_text(encoding="utf-8", errors="replace").splitlines()
        fitting = [line for line in lines if all(word in line for word in words)]
        return (fitting[0] if fitting else None), lines[-5:]

    return until(logged, what=f"a line with {words}")


def some(count: int) -> list[str]:
    return [f"record {secrets.token_hex(6)}" for _ in range(count)]


@pytest.fixture
def gateways(estate: Estate) -> Iterator[dict[str, Collector]]:
    with estate.gateways_running() as running:
        yield running


def test_an_edge_that_writes_to_another_tenants_topics_is_refused_and_loses_nothing(
    estate: Estate, gateways: dict[str, Collector]
) -> None:
    bad, sentinel = some(3), some(3)
    with estate.edges["edge-2"].running(tenant="team-a") as edge:
        send(edge, *bad)
        until_logged(edge, "may not write to the topic", "TOPIC_AUTHORIZATION_FAILED")
        with estate.edges["edge-1"].running() as other:
            send(other, *sentinel)
            until_at(estate, "team-a", *sentinel)
    assert tenants_of(estate, *bad) == {}
    with estate.edges["edge-2"].running():
        until_at(estate, "team-b", *bad)


def test_nothing_that_a_sender_or_an_edge_says_names_a_tenant(
    estate: Estate, gateways: dict[str, Collector]
) -> None:
    """Each message has a chance of its own: of two keys of a map either may come last."""
    headers = [
        {"name": name, "value": value}
        for name, value in (
            ("Kafka.Topic", "otlp_logs.team-b"),
            ("kafka.topic", "otlp_logs.team-b"),
            ("KAFKA.TOPIC", "otlp_logs.team-b"),
            ("X-Scope-OrgID", "team-b"),
            (TENANT, "team-b"),
        )
    ]
    bodies = some(40)
    exporters = {"kafka_bisect": {"record_headers": headers}}
    with estate.edges["edge-1"].running(exporters=exporters) as edge:
        send(edge, *bodies, **{TENANT: "team-b"})
        until_at(estate, "team-a", *bodies)
    # The control: the headers stand in the topic.
    shown = estate.kafka.tool(
        "consumer.ConsoleConsumer",
        *("--topic", "otlp_logs.team-a", "--from-beginning", "--timeout-ms", "20000"),
        *(
            "--formatter-property",
            "print.headers=true",
            "--formatter-property",
            "print.value=false",
        ),
    )
    assert shown.count("Kafka.Topic:otlp_logs.team-b") >= len(bodies), shown[-2000:]


def test_a_topic_that_is_missing_is_named_and_waited_for(estate: Estate) -> None:
    """Gateways start after it is made: one that runs may not read a topic that was deleted."""
    estate.kafka.tool("TopicCommand", "--delete", "--topic", "otlp_logs.team-b")
    bodies = some(3)
    with estate.edges["edge-2"].running() as edge:
        send(edge, *bodies)
        until_logged(edge, "the topic is missing: make it", "UNKNOWN_TOPIC_OR_PARTITION")
        assert "otlp_logs.team-b" in estate.kafka.make_topics(TENANTS, GATEWAYS)
        with estate.gateways_running():
            until_at(estate, "team-b", *bodies)


def test_a_client_that_no_tenant_has_may_write_nowhere(
    estate: Estate, gateways: dict[str, Collector]
) -> None:
    edge, made = estate.edges["edge-2"], estate.made
    bodies = some(3)
    edge.show(made.edge(STRANGER), made.edge_key(STRANGER))
    try:
        with edge.running() as running:
            send(running, *bodies)
            until_logged(running, "may not write to the topic", "TOPIC_AUTHORIZATION_FAILED")
    finally:
        edge.show(made.edge("edge-2"), made.edge_key("edge-2"))
    with edge.running():
        until_at(estate, "team-b", *bodies)


def test_a_certificate_of_another_authority_is_refused_and_what_was_taken_waits(
    estate: Estate, gateways: dict[str, Collector], tmp_path: Path
) -> None:
    edge, made = estate.edges["edge-2"], estate.made
    others = certificate_files(tmp_path, "edge-2")
    bodies = some(3)
    edge.show(others.edge("edge-2"), others.edge_key("edge-2"))
    try:
        with edge.running() as running:
            send(running, *bodies)
            until_logged(running, "no broker answered in time", "certificates (tls)")
    finally:
        edge.show(made.edge("edge-2"), made.edge_key("edge-2"))
    with edge.running():
        until_at(estate, "team-b", *bodies)


def test_rights_are_taken_back_with_the_line_that_gave_them(estate: Estate) -> None:
    try:
        said = estate.kafka.make_topics({"edge-1": "team-a", "edge-2": "team-a"}, GATEWAYS)
        assert "took back: edge-2 WRITE" in said
        assert "otlp_logs.team-b" in said
    finally:
        said = estate.kafka.make_topics(TENANTS, GATEWAYS)
    assert "took back: edge-2 WRITE" in said
    assert "allowed: edge-2 WRITE" in said
    again = estate.kafka.make_topics(TENANTS, GATEWAYS)
    assert len(again.splitlines()) == 1, again  # in order: nothing is done


@pytest.mark.parametrize(
    ("tenants", "line"),
    [
        ({}, "names no edge"),
        ({"edge-1": "team/a"}, "'edge-1: team/a' is not 'name: tenant'"),
        ({"Edge 1": "team-a"}, "'Edge 1: team-a' is not 'name: tenant'"),
    ],
)
def test_topics_of_no_tenant_are_refused_in_one_line(
    estate: Estate, tenants: dict[str, str], line: str
) -> None:
    ended = estate.kafka.topics_script(tenants, GATEWAYS)
    assert ended.returncode == 1
    assert line in ended.stderr
    assert len(ended.stderr.splitlines()) == 1, ended.stderr


def test_brokers_that_are_missing_at_the_start_are_waited_for(estate: Estate) -> None:
    for broker in BROKERS:
        estate.kafka.kill(broker)
    bodies = some(3)
    with contextlib.ExitStack() as stack:
        try:
            gateway = stack.enter_context(estate.gateways["gateway-1"].running())
            edge = stack.enter_context(estate.edges["edge-1"].running())
            send(edge, *bodies)
            until_logged(edge, "no broker answered in time")
            assert gateway.popen.poll() is None
        finally:
            estate.kafka.start(*BROKERS)
        until_at(estate, "team-a", *bodies)


def test_a_second_edge_on_one_queue_does_not_start(estate: Estate) -> None:
    edge = estate.edges["edge-1"]
    with edge.running() as first:
        code, said = edge.beside()
        assert code == 1, said[-3000:]
        line = "storage is another Collector's: give each a directory of its own"
        assert line in said, said[-3000:]
        bodies = some(3)
        send(first, *bodies)
        with estate.gateways["gateway-1"].running():
            until_at(estate, "team-a", *bodies)


def test_a_broker_without_its_key_names_it(estate: Estate) -> None:
    ended = estate.kafka.started_without("kafka_key")
    assert ended.returncode == 1
    [line] = ended.stderr.splitlines()
    assert "the secret kafka_key cannot be read: glasshouse certificates --broker" in line
