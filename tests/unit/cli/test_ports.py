"""A port that is taken is found before anything starts."""

import socket
from collections.abc import Iterator

import pytest

from glasshouse_cli import ports
from glasshouse_cli.compose import parse_ports
from support import ports as kept


@pytest.fixture
def taken() -> Iterator[int]:
    """A port that this process listens on."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server.getsockname()[1]


@pytest.fixture
def free() -> int:
    return kept.free(["free"])["free"]


def test_a_taken_port_names_variable_holder_and_remedy(taken: int):
    (clash,) = ports.clashes({"LOKI_PORT": taken})

    assert clash.variable == "LOKI_PORT"
    text = str(clash)
    assert text.startswith(f"port {taken} (LOKI_PORT) is taken by ")
    assert text.endswith("stop it, or change LOKI_PORT in .env")


def test_a_port_on_all_interfaces_clashes():
    with socket.create_server(("", 0)) as server:
        port = server.getsockname()[1]

        assert [c.port for c in ports.clashes({"LOKI_PORT": port})] == [port]


def test_our_own_container_is_no_clash(taken: int):
    assert ports.clashes({"LOKI_PORT": taken}, ours=[taken]) == []


def test_a_free_port_is_no_clash(free: int):
    assert ports.clashes({"LOKI_PORT": free}) == []


def test_one_port_for_two_parts_clashes(free: int):
    (clash,) = ports.clashes({"LOKI_PORT": free, "TEMPO_PORT": free})

    assert str(clash).startswith(f"port {free} (TEMPO_PORT) is taken by LOKI_PORT in .env")


def test_published_ports_are_read_as_docker_writes_them():
    lines = ["127.0.0.1:8000->8000/tcp", "", "5432/tcp", "0.0.0.0:1->2/tcp, :::1->2/tcp"]

    assert list(parse_ports(lines)) == [8000, 1, 1]


def test_neighbouring_ports_are_written_as_a_range():
    lines = ["127.0.0.1:4317-4318->4317-4318/tcp, 127.0.0.1:13133->13133/tcp"]

    assert list(parse_ports(lines)) == [4317, 4318, 13133]
