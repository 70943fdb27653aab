"""The canary is recognised however a backend stores it."""

import json
from collections.abc import Iterator

import pytest

from glasshouse_cli import readiness
from glasshouse_cli.doctor import canary as canaries
from glasshouse_cli.doctor.checks import follow
from support import http_server


@pytest.mark.parametrize(
    ("digits", "expected"), [("7992739871", "3"), ("411111111111111", "1"), ("0", "0")]
)
def test_luhn_digit(digits: str, expected: str):
    assert canaries.luhn_digit(digits) == expected


def test_no_two_canaries_are_alike():
    one, other = canaries.make(), canaries.make()

    assert not {one.word, one.email, one.token} & {other.word, other.email, other.token}


def test_every_form_of_a_leak_is_seen():
    canary = canaries.make()

    assert canary.leaks(canary.text) == ["email", "card", "token"]
    assert canary.leaks(canary.card.replace(" ", "")) == ["card"]
    assert canary.leaks(canary.card.replace(" ", "-")) == ["card"]
    assert canary.leaks(canary.email.upper()) == ["email"]
    assert canary.leaks(json.dumps({"a": {"b": canary.token}})) == ["token"]


def test_the_word_alone_is_no_leak():
    canary = canaries.make()

    assert canary.leaks(f"{canary.word} wrote from ****, paid with **** and used ****") == []


@pytest.mark.parametrize("build", ["log_payload", "span_payload", "metric_payload"])
def test_every_payload_carries_all_of_it(build: str):
    canary = canaries.make()
    payload = json.dumps(getattr(canaries, build)(canary))

    assert canary.word in payload
    assert canary.leaks(payload) == ["email", "card", "token"]


class Backend(http_server.Handler):
    """Collector, Loki, Tempo and Prometheus in one: answers with what was sent."""

    received: str = ""
    redact = True

    def do_POST(self) -> None:
        type(self).received += self.body().decode()
        self.answer(b"{}")

    def do_GET(self) -> None:
        stored = type(self).received
        if self.redact:
            words = [w for w in stored.replace('"', " ").split() if w.startswith("sentinel")]
            stored = words[0]
        self.answer(json.dumps({"data": {"result": [stored]}, "traces": [stored]}).encode())


@pytest.fixture(params=[True, False], ids=["redacting", "leaking"])
def backend(request: pytest.FixtureRequest) -> Iterator[tuple[str, bool]]:
    handler = type("Handler", (Backend,), {"redact": request.param, "received": ""})
    with http_server.serving(handler) as url:
        yield url, request.param


def test_a_leak_fails_each_way_and_redaction_passes(backend: tuple[str, bool]):
    url, redacting = backend

    rows = list(follow(otlp=url, loki=url, tempo=url, prometheus=url))

    assert [row.status for row in rows[:3]] == ["ok"] * 3
    expected = "ok" if redacting else "failed"
    assert [row.status for row in rows[3:]] == [expected] * 3
    if not redacting:
        assert {row.detail for row in rows[3:]} == {"stored unredacted: email, card, token"}


def test_a_dead_collector_is_the_only_hop_blamed():
    dead = "http://127.0.0.1:1"

    rows = list(follow(otlp=dead, loki=dead, tempo=dead, prometheus=dead))

    assert [row.status for row in rows] == ["failed"] * 3 + ["skipped"] * 3
    assert rows[0].next == "make logs PART=collector"


def test_waiting_reports_the_last_state():
    with pytest.raises(readiness.NotReady, match=r"Loki \(no connection\)") as caught:
        readiness.wait({"Loki": "http://127.0.0.1:1/ready"}, deadline=0.3)

    assert caught.value.states == {"Loki": "no connection"}


def test_a_token_that_is_refused_is_explained():
    class Refusing(http_server.Handler):
        def do_POST(self) -> None:
            self.body()
            self.answer(status=401)

    with http_server.serving(Refusing) as url:
        rows = list(follow(otlp=url, loki=url, tempo=url, prometheus=url))
    [logs] = [row for row in rows if row.name == "logs → Collector"]
    assert logs.status == "failed"
    assert logs.detail.startswith("HTTP 401: the Collector does not take the first line of secrets")


def test_the_token_is_sent_with_each_signal():
    seen: list[str] = []

    class Taking(http_server.Handler):
        def do_POST(self) -> None:
            self.body()
            seen.append(self.headers["Authorization"])
            self.answer(b"{}")

        def do_GET(self) -> None:
            self.answer(status=503)

    with http_server.serving(Taking) as url:
        rows = follow(
            otlp=url, loki=url, tempo=url, prometheus=url, sender={"Authorization": "Bearer t"}
        )
        # What arrives is another matter, and takes its time.
        sent = [next(rows).status for _ in range(3)]
    assert sent == ["ok"] * 3
    assert seen == ["Bearer t"] * 3
