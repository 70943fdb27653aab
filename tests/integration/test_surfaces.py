"""Personal data on each surface of each signal; with redaction off it all comes through."""

import json
from collections.abc import Callable
from typing import Any

import httpx
import pytest

from glasshouse_bench import surfaces
from glasshouse_bench.surfaces import Surface
from glasshouse_cli.doctor import canary as canaries
from glasshouse_cli.doctor.canary import Canary
from support import otlp
from support.collector import Rig
from support.waiting import until

ALL = ["email", "card", "token"]
# Not a row of the corpus.
NO_ROW = 999_999


@pytest.fixture(scope="session")
def canary() -> Canary:
    return canaries.make()


@pytest.fixture(scope="session")
def stored_texts(rig: Rig, canary: Canary) -> dict[str, str]:
    """The canary on every surface, as it was stored, by surface."""
    with otlp.Sender(rig.endpoint, "surfaces") as sender:
        for signal in surfaces.LISTS:
            sender.entries(
                signal,
                [
                    surfaces.build(surface, NO_ROW, canary.text)
                    for surface in surfaces.SURFACES
                    if surface.signal == signal
                ],
            )

    def probe() -> tuple[dict[str, str] | None, object]:
        stored = {
            surface: text
            for signal in surfaces.LISTS
            for request in rig.stored(signal)
            for surface, row, text in surfaces.read(signal, request)
            if row == NO_ROW
        }
        missing = {surface.name for surface in surfaces.SURFACES} - set(stored)
        return (None if missing else stored), f"missing: {missing}"

    return until(probe, what="the canary on every surface")


@pytest.mark.parametrize("surface", surfaces.SURFACES, ids=lambda surface: surface.name)
def test_no_canary_passes(
    stored_texts: dict[str, str], canary: Canary, redaction: str, surface: Surface
) -> None:
    stored = stored_texts[surface.name]
    assert canary.word in stored  # what is harmless is still there
    assert canary.leaks(stored) == ([] if redaction == "on" else ALL)


def number_attribute(c: Canary) -> dict[str, Any]:
    return otlp.log("order", {"word": c.word, "number": int(c.card.replace(" ", ""))})


def sensitive_key(c: Canary) -> dict[str, Any]:
    return otlp.log("order", {"word": c.word, "user.password": c.word[::-1]})


def json_body(c: Canary) -> dict[str, Any]:
    return otlp.log(json.dumps({"user": {"mail": c.email}, "token": c.token}), {"word": c.word})


@pytest.mark.parametrize(
    ("record", "sent"),
    [
        (number_attribute, lambda c: c.card.replace(" ", "")),
        (sensitive_key, lambda c: c.word[::-1]),
        (json_body, lambda c: c.email),
        (json_body, lambda c: c.token),
    ],
    ids=["number", "sensitive key", "email in JSON", "token in JSON"],
)
def test_no_value_passes_in_another_form(
    rig: Rig,
    redaction: str,
    record: Callable[[Canary], dict[str, Any]],
    sent: Callable[[Canary], str],
) -> None:
    canary = canaries.make()
    with otlp.Sender(rig.endpoint, "surfaces") as sender:
        sender.logs([record(canary)])

    def probe() -> tuple[str | None, object]:
        requests = [json.dumps(request) for request in rig.stored("logs")]
        found = [text for text in requests if f'"stringValue": "{canary.word}"' in text]
        return (found[0] if found else None), f"{len(requests)} requests"

    stored = until(probe, what=f"the sentinel {canary.word}")
    assert (sent(canary) in stored) is (redaction == "off")


def test_what_was_redacted_is_counted_and_not_shown(
    rig: Rig, redaction: str, canary: Canary, stored_texts: dict[str, str]
) -> None:
    name = "otelcol_processor_pii_redacted_total"

    def probe() -> tuple[str | None, object]:
        text = httpx.get(rig.own, timeout=30).text
        return (text if "otelcol_receiver_accepted" in text else None), text[:1000]

    text = until(probe, what="the Collector's own metrics")
    counted = [line for line in text.splitlines() if line.startswith(name)]
    assert canary.leaks(text) == []
    if redaction == "off":
        assert counted == []
        return
    for rule in ("card", "email", "github_token"):
        for surface in ("log.body", "span.name", "link.attributes", "exemplar.attributes"):
            labels = (f'rule="{rule}"', f'surface="{surface}"')
            assert any(all(one in line for one in labels) for line in counted), (labels, counted)
    lost = [line for line in text.splitlines() if "pii_unscanned_total{" in line]
    assert len(lost) == 6  # three signals, dropped and masked, shown from the start
    assert all(line.endswith(" 0") for line in lost)
