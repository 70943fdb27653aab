"""A person is erased where the lines are in several Lokis, as the operator's command does it."""

import subprocess
from collections import Counter

import pytest

from glasshouse.keyring import KeyFile, pseudonym
from glasshouse_cli import compose, images
from support import backends, otlp
from support.distributed.reading import Reader
from support.distributed.whole import IS_LONG, NEIGHBOURS, Whole
from support.stack import with_variables
from support.waiting import until
from support.words import fresh

pytestmark = [
    *NEIGHBOURS,
    pytest.mark.skipif(not IS_LONG, reason="starts the database of the sample backend besides"),
]
FORGET = ("run", "--rm", "--no-deps", "-T", "forget", "--wait=0", "--")


@pytest.fixture(scope="module")
def tags(whole: Whole) -> dict[str, str]:
    """Images of what the stack starts for the sample backend alone."""
    return images.resolve(["postgres", "backend"], checkout=whole.checkout)


def ran(whole: Whole, tags: dict[str, str], *command: str) -> subprocess.CompletedProcess[str]:
    with with_variables({**whole.variables, **tags}):
        return subprocess.run(
            compose.command(whole.checkout, *command),
            capture_output=True,
            text=True,
            timeout=600,
            check=False,
        )


def test_the_operator_s_command_asks_each_loki_as_the_tenant(
    whole: Whole, tags: dict[str, str]
) -> None:
    gone, stays = fresh("gone-"), fresh("stays-")
    [key, *_] = KeyFile(whole.checkout.state / "secrets" / "hmac_key").keys
    names = {user: f"[user:{pseudonym(key.encode(), user.encode())}]" for user in (gone, stays)}
    for edge in whole.edges:
        with otlp.Sender(edge.url, fresh("shop-"), whole.sender) as sender:
            sender.logs(otlp.log("Payment", {"payment.user_id": user}) for user in names)
    [tenant] = {edge.tenant for edge in whole.edges}

    def arrived() -> tuple[bool | None, object]:
        found = Counter(
            user
            for user, name in names.items()
            for _ in lines(whole, tenant, f'| payment_user_id="{name}"')
        )
        return (found == {user: len(whole.edges) for user in names}) or None, found

    until(arrived, what="the lines of both edges are in Loki")
    started = ran(whole, tags, "up", "--detach", "--no-deps", "--wait", "postgres")
    assert started.returncode == 0, started.stderr
    migrated = ran(whole, tags, "run", "--rm", "--no-deps", "-T", "migrate")
    assert migrated.returncode == 0, migrated.stderr
    erased = ran(whole, tags, *FORGET, gone)
    assert erased.returncode == 0, erased.stderr
    [reported] = [line for line in erased.stdout.splitlines() if line.startswith("Loki: ")]
    assert reported.startswith(f"Loki: {len(whole.edges)} lines under ")
    # The control: one Loki that does not answer is named, and nothing is done.
    whole.docker("stop", "loki-2")
    try:
        refused = ran(whole, tags, *FORGET, stays)
    finally:
        whole.docker("start", "loki-2")
        whole.wait_healthy(["loki-2"])
    assert refused.returncode == 1
    assert "nothing was erased: LOKI_URL: no answer of http://loki-2:3100" in refused.stderr


def lines(whole: Whole, tenant: str, filters: str) -> list[dict[str, object]]:
    query = f'{{service_name=~"shop-.+"}} {filters}'
    with Reader(tenant).asking() as http:
        return backends.loki_lines(http, whole.url("LOKI_PORT"), query)
