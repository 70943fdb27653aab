"""The attributes of OpenTelemetry's semantic conventions with the examples that they give.

The data is in `tests/data/semantic-conventions.jsonl`, made by `dev/semantic_conventions.py`.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

from glasshouse_bench.unseen.probes import Probe

REPORT = "conventions"
# Attributes of which examples change, and why that is right.
PERSONAL = {
    "aws.secretsmanager.secret.arn": "for now: the pair secret: within it",
    "device.id": "a MAC address",
    "dns.answers": "a public address",
    "enduser.id": "a person",
    "geo.postal_code": "where a person lives",
    "host.mac": "a MAC address",
    "http.client_ip": "a public address",
    "http.request.header": "a public address, as of x-forwarded-for",
    "hw.network.logical_addresses": "a public address",
    "hw.network.physical_address": "a MAC address",
    "process.linux.cgroup": "for now: user@1000.service",
    "rpc.connect_rpc.request.metadata": "a public address",
    "rpc.grpc.request.metadata": "a public address",
    "rpc.request.metadata": "a public address",
    "url.domain": "a public address",
    "user.email": "a person",
    "user.full_name": "a person",
    "user.id": "a person",
    "user.name": "a person",
}


def probes(root: Path) -> Iterator[Probe]:
    """Yield every example under its name, but those that are personal."""
    path = root / "tests" / "data" / "semantic-conventions.jsonl"
    _, *rows = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    for row in rows:
        name = row["name"]
        if name in PERSONAL:
            continue
        for example in row["examples"]:
            area = name.partition(".")[0]
            yield Probe(report=REPORT, group=area, label=name, key=name, text=example)
