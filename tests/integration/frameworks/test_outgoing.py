"""What other clients and servers get from a service: context for hosts on the list, and no other.

One program makes every call twice, to a host that is listed and to one that is not: 127.0.0.1 and
localhost are the same machine. It prints what arrived.
"""

import subprocess
from pathlib import Path

import pytest

from support import frameworks

PROGRAM = Path(__file__).with_name("outgoing_calls.py")
# As urllib3 and httpx do, hop by hop, and below their instrumentation as the others.
HTTP_CLIENTS = ("aiohttp", "httpx", "requests", "urllib", "urllib3")
CONTEXT = ["baggage", "traceparent", "x-correlation-id"]


@pytest.fixture(scope="module")
def arrived() -> dict[str, list[str]]:
    """The names of the context headers that arrived, by call."""
    return frameworks.last_line_of(PROGRAM, GLASSHOUSE_PROPAGATION_HOSTS="127.0.0.1")


@pytest.mark.parametrize("client", HTTP_CLIENTS)
def test_http(arrived: dict[str, list[str]], client: str) -> None:
    assert arrived[f"{client} 127.0.0.1"] == CONTEXT
    assert arrived[f"{client} localhost"] == []


@pytest.mark.parametrize("client", HTTP_CLIENTS)
def test_a_redirect_to_a_host_that_is_not_listed(
    arrived: dict[str, list[str]], client: str
) -> None:
    assert arrived[f"{client} redirected"] == []


def test_aws(arrived: dict[str, list[str]]) -> None:
    assert arrived["boto3 127.0.0.1"] == ["x-amzn-trace-id"]
    assert arrived["boto3 localhost"] == []


@pytest.mark.parametrize("call", ["unary", "stream", "aio"])
def test_grpc(arrived: dict[str, list[str]], call: str) -> None:
    assert arrived[f"grpc {call} 127.0.0.1"] == [*CONTEXT, "x-request-id"]
    assert arrived[f"grpc {call} localhost"] == []


def test_a_task_of_celery_keeps_the_ids(arrived: dict[str, list[str]]) -> None:
    assert arrived["celery in a request"] == ["request-1", "correlation-1"]
    assert arrived["celery outside"] == ["None", "None"]


def test_what_redis_finds_is_not_recorded(arrived: dict[str, list[str]]) -> None:
    assert arrived["redis search"] == ["redis.search.total"]


def test_commands_of_redis_leave_as_upstream_records_them() -> None:
    frameworks.make_environment()
    tests = "tests/unit/instrumentation/test_redis_commands.py"
    command = [frameworks.BIN / "python", "-m", "pytest", "-q", "-p", "no:cacheprovider", tests]
    ended = subprocess.run(command, cwd=frameworks.ROOT, capture_output=True, text=True)
    assert ended.returncode == 0, ended.stdout
    # It is skipped where upstream's instrumentation is missing.
    assert "skipped" not in ended.stdout
