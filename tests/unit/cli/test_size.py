"""`glasshouse size`: its arithmetic by hand, with figures of its own; options; what it prints."""

import copy
import json
import os
import random
import secrets
import shutil
import subprocess
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from typer.testing import CliRunner

from glasshouse_cli import cli
from glasshouse_cli.errors import StackError
from glasshouse_cli.size import factors, quantities, shapes
from glasshouse_cli.size.factors import Factors
from support import sizing
from support.deployed import ROOT
from support.sizing import MIB

DAY_S = 86400


@pytest.fixture
def path(tmp_path: Path) -> Path:
    file = tmp_path / "factors.json"
    file.write_text(json.dumps(sizing.document()), encoding="utf-8")
    return file


def sized(path: Path | None, *options: str) -> dict[str, Any]:
    """Return what it says to scripts."""
    given = [] if path is None else ["--factors", str(path)]
    ran = CliRunner().invoke(cli.app, ["size", "--json", *given, *options])
    if ran.exception:
        raise ran.exception
    return json.loads(ran.stdout)


def by_part(found: dict[str, Any]) -> dict[str, dict[str, Any]]:
    return {one["part"]: one for one in found["parts"]}


def test_the_arithmetic_of_one_machine(path: Path) -> None:
    """Each figure by hand, of the figures in `support.sizing`."""
    found = sized(
        path,
        *("--logs", "10000", "--spans", "5000", "--metrics", "1000", "--retention", "1d"),
        *("--services", "20", "--series", "6000"),
    )
    assert found["shape"]["key"] == "one"
    assert found["shape"]["too_small"] == []
    parts = by_part(found)
    assert list(parts) == ["edge", "loki", "tempo", "prometheus"]
    edge = parts["edge"]
    # 10,000 of 20 µs, 5,000 of 40 µs, 1,000 of 10 µs, 20 of 100 µs, 6,000 of 1 µs: 0.418 cores. A
    # process may use half a core, of which it needs 0.01 for itself: 0.418 / 0.49, so one.
    assert edge["processes"] == 1
    assert edge["used_cores"] == pytest.approx(0.428)
    assert edge["cores"] == 0.9  # 0.856, rounded up
    # 16,000 of 0.001, 20 of 0.5, 6,000 of 0.001 and 50 are 82 MiB; 70 % may be in use.
    assert edge["memory_bytes"] == pytest.approx(82 * MIB / 0.7, abs=1)
    # Three queues of 100 MiB and 20 MiB of dead letters; 80 % of the disk may be in use.
    assert edge["disk_bytes"] == pytest.approx(320 * MIB / 0.8, abs=1)
    assert edge["received_bits_per_second"] == 16_000 * 500 * 8
    assert edge["sent_bits_per_second"] == 16_000 * 100 * 8
    loki = parts["loki"]
    assert loki["used_cores"] == pytest.approx(0.1 + 0.001 + 0.01)
    # 10 + 20 times 0.2 + 50 MiB, and 20 streams of 2 MiB each.
    assert loki["memory_bytes"] == pytest.approx((64 + 40) * MIB / 0.7, abs=1)
    assert loki["disk_bytes"] == pytest.approx(10_000 * 200 * DAY_S / 0.8)
    tempo, prometheus = parts["tempo"], parts["prometheus"]
    assert tempo["used_cores"] == pytest.approx(0.085)
    assert tempo["disk_bytes"] == pytest.approx(5_000 * 250 * DAY_S / 0.8)
    assert prometheus["used_cores"] == pytest.approx(0.004 + 0.012 + 0.01)
    assert prometheus["memory_bytes"] == pytest.approx((1 + 24 + 50) * MIB / 0.7, abs=1)
    total = found["total"]
    assert total["processes"] == 4
    assert total["cores"] == pytest.approx(sum(one["cores"] for one in found["parts"]))
    assert total["disk_bytes"] == pytest.approx(
        sum(one["disk_bytes"] for one in found["parts"]), abs=4
    )


def test_the_arithmetic_of_distributed_backends(path: Path) -> None:
    found = sized(
        path,
        *("--logs", "100k", "--spans", "40k", "--metrics", "10k", "--retention", "7d"),
        *("--services", "100", "--series", "100000", "--hosts", "4", "--kafka-retention", "12h"),
    )
    assert found["shape"]["key"] == "c"
    parts = by_part(found)
    assert list(parts) == ["edge", "kafka", "gateway", "loki", "tempo", "prometheus"]
    # 2 + 1.6 + 0.1 + 0.01 + 0.1 = 3.81 cores by 0.49 a process: 7.8.
    assert parts["edge"]["processes"] == 8
    assert parts["edge"]["used_cores"] == pytest.approx(3.81 + 8 * 0.01)
    kafka = parts["kafka"]
    # Spans twice, as Tempo hands them on by Kafka: 190,000 of 5 µs = 0.95 by 0.49: two; three is
    # the least.
    assert kafka["processes"] == 3
    assert kafka["used_cores"] == pytest.approx(0.95 + 0.03)
    assert kafka["disk_bytes"] == pytest.approx(190_000 * 300 * DAY_S / 2 / 0.8)
    gateway = parts["gateway"]
    # 1 + 0.8 + 0.001, and 20,000 of 5 µs, as each Prometheus has a reader of its own: 1.901 by
    # 0.49: 3.9. Each of the four has records of all services.
    assert gateway["processes"] == 4
    assert gateway["used_cores"] == pytest.approx(1.901 + 0.04)
    assert gateway["memory_bytes"] == pytest.approx((160 + 4 * 100 * 0.1 + 200) * MIB / 0.7, abs=1)
    assert gateway["disk_bytes"] == 0
    loki = parts["loki"]
    # Three copies of the work of one: 3 times (1 + 0.005) = 3.015 by 0.49: 6.2.
    assert loki["processes"] == 7
    assert loki["used_cores"] == pytest.approx(3.015 + 0.07)
    assert loki["disk_bytes"] == pytest.approx(3 * 100_000 * 200 * 7 * DAY_S / 0.8)
    # 3 times (100 + 20) + 7 times 50 MiB, and 100 streams of 2 MiB in three.
    assert loki["memory_bytes"] == pytest.approx((360 + 350 + 600) * MIB / 0.7, abs=1)
    tempo = parts["tempo"]
    # Distributor, block-builder and two live-stores take each span: 4 times 0.6 = 2.4 by 0.49:
    # five; eight is the least.
    assert tempo["processes"] == 8
    assert tempo["used_cores"] == pytest.approx(2.4 + 0.08)
    assert tempo["disk_bytes"] == pytest.approx(40_000 * 250 * 7 * DAY_S / 0.8)
    assert tempo["basis"]["kind"] == "not measured"
    prometheus = parts["prometheus"]
    assert prometheus["used_cores"] == pytest.approx(2 * (0.04 + 0.2) + 0.02)
    assert prometheus["disk_bytes"] == pytest.approx(2 * 10_000 * 2 * 7 * DAY_S / 0.8)


def test_what_any_load_takes_counts_for_each_process(tmp_path: Path) -> None:
    path = tmp_path / "factors.json"
    # 0.05 cores without a record of it, of which 0.01 are there without a load.
    path.write_text(_with("parts.edge.signals.logs.cpu_us.intercept", 50_000), encoding="utf-8")
    two = by_part(sized(path, "--logs", "10k", "--hosts", "2", "--series", "0"))["edge"]
    assert two["used_cores"] == pytest.approx(10_000 * 20e-6 + 10 * 100e-6 + 2 * 0.05)
    # 40,000 of 20 µs: 0.8 by 0.45, so two.
    many = by_part(sized(path, "--logs", "40k", "--series", "0"))["edge"]
    assert many["processes"] == 2
    spans = by_part(sized(path, "--spans", "1k", "--series", "0"))["edge"]
    assert spans["used_cores"] == pytest.approx(1_000 * 40e-6 + 10 * 100e-6 + 0.01)


def test_memory_that_any_load_takes_counts_once_for_each_process(tmp_path: Path) -> None:
    document = sizing.document()
    for name, mib in (("logs", 80), ("spans", 120), ("metrics", 40)):
        document["parts"]["edge"]["signals"][name]["memory_mib"]["intercept"] = mib
    path = tmp_path / "factors.json"
    path.write_text(json.dumps(document), encoding="utf-8")
    options = ("--hosts", "2", "--series", "0", "--services", "10")
    # 50 MiB without a load, 120 with spans, 80 with logs alone; 1 for each 1,000, 5 for services.
    both = by_part(sized(path, "--logs", "1k", "--spans", "1k", *options))["edge"]
    assert both["memory_bytes"] == pytest.approx((2 * 120 + 2 + 5) * MIB / 0.7, abs=1)
    logs = by_part(sized(path, "--logs", "1k", *options))["edge"]
    assert logs["memory_bytes"] == pytest.approx((2 * 80 + 1 + 5) * MIB / 0.7, abs=1)


def test_a_measured_cluster_takes_the_place_of_multiplied_processes(tmp_path: Path) -> None:
    document = sizing.document()
    document["parts"]["loki_cluster"] = sizing.part(
        {"logs": sizing.signal(18, received=600, stored=300)}, processes=3, copies=3
    )
    document["parts"]["thanos"] = sizing.part({"metrics": sizing.signal(1)}, processes=4)
    path = tmp_path / "factors.json"
    path.write_text(json.dumps(document), encoding="utf-8")
    found = by_part(sized(path, "--logs", "100k", "--metrics", "1k"))
    assert found["loki"]["used_cores"] == pytest.approx(100_000 * 18e-6 + 4 * 0.01)
    assert found["loki"]["disk_bytes"] == pytest.approx(100_000 * 300 * 14 * DAY_S / 0.8)
    assert found["thanos"]["processes"] == 4
    one = by_part(sized(path, "--logs", "100k", "--metrics", "1k", "--replicas", "loki=1"))
    assert one["loki"]["used_cores"] == pytest.approx(100_000 * 6e-6 + 2 * 0.01)


@pytest.mark.parametrize(
    ("options", "key", "says"),
    [
        (("--logs", "1000"), "one", None),
        (("--logs", "1000", "--hosts", "2"), "a", "one machine: services run on 2 hosts"),
        (
            ("--logs", "40k", "--hosts", "9", "--retention", "1d"),
            "a",
            "one machine: services run on 9 hosts",
        ),
        (
            ("--logs", "30k", "--spans", "20k", "--hosts", "9", "--retention", "1d"),
            "b",
            "several hosts, one gateway: gateway takes 2 processes of 1 cores",
        ),
        (("--logs", "60k", "--retention", "1h"), "c", "Kafka between: loki takes 2 processes"),
        (
            ("--logs", "10k", "--retention", "1y"),
            "c",
            "one machine: 78,840 GB of disk are wanted on one machine, which has 16,000",
        ),
        (
            ("--logs", "1k", "--machine-cores", "0.3"),
            "c",
            "one machine: 0 cores are wanted on one machine, which has 0",
        ),
    ],
    ids=["little", "hosts", "one-gateway", "gateways", "loki", "disk", "cores"],
)
def test_the_smallest_shape_that_carries_it(
    path: Path, options: tuple[str, ...], key: str, says: str | None
) -> None:
    shape = sized(path, *options)["shape"]
    assert shape["key"] == key
    if says is None:
        assert shape["too_small"] == []
    else:
        assert any(one.startswith(says) for one in shape["too_small"]), shape["too_small"]


def test_a_figure_says_what_it_rests_on(path: Path) -> None:
    few = by_part(sized(path, "--logs", "5000", "--services", "100", "--series", "0"))
    assert few["edge"]["basis"] == {
        "kind": "measured",
        "reasons": [],
        "measured_to": {"logs": 5000},
        "measured_processes": 1,
    }
    more = by_part(sized(path, "--logs", "5001", "--services", "101", "--series", "20001"))
    assert more["edge"]["basis"]["kind"] == "extrapolated"
    assert more["edge"]["basis"]["reasons"] == [
        "5,001 logs/s in one process, measured to 5,000",
        "101 services, measured to 100",
        "20,001 series, measured to 20,000",
    ]
    hosts = by_part(sized(path, "--logs", "12k", "--services", "10", "--hosts", "2"))
    assert hosts["edge"]["basis"]["reasons"] == [
        "6,000 logs/s in one process, measured to 5,000",
        "2 processes, measured with 1",
    ]


def test_a_factor_from_elsewhere_says_so(tmp_path: Path) -> None:
    document = sizing.document()
    document["parts"]["kafka"]["origin"] = "notes of another measurement"
    path = tmp_path / "factors.json"
    path.write_text(json.dumps(document), encoding="utf-8")
    kafka = by_part(sized(path, "--logs", "100k"))["kafka"]
    assert kafka["basis"]["kind"] == "not measured"
    assert kafka["basis"]["reasons"][0] == "from notes of another measurement"


SCHEMA: dict[str, Any] = {
    "type": "object",
    "additionalProperties": False,
    "required": ["schema", "load", "bounds", "shape", "parts", "total", "remarks", "factors"],
    "properties": {
        "schema": {"const": 1},
        "load": {
            "type": "object",
            "additionalProperties": {"type": "number", "minimum": 0},
            "required": [
                *("logs", "spans", "metrics", "services", "hosts", "series", "retention_s"),
            ],
        },
        "bounds": {
            "type": "object",
            "required": [
                *("cpu_use", "memory_use", "disk_use", "process_cores", "machine_cores"),
                *("machine_memory_bytes", "machine_disk_bytes", "kafka_retention_s", "copies"),
            ],
        },
        "shape": {
            "type": "object",
            "additionalProperties": False,
            "required": ["key", "title", "too_small"],
            "properties": {
                "key": {"enum": ["one", "a", "b", "c"]},
                "title": {"type": "string"},
                "too_small": {"type": "array", "items": {"type": "string"}},
            },
        },
        "parts": {
            "type": "array",
            "minItems": 4,
            "items": {
                "type": "object",
                "additionalProperties": False,
                "required": [
                    *("part", "processes", "used_cores", "cores", "memory_bytes", "disk_bytes"),
                    *("received_bits_per_second", "sent_bits_per_second", "basis"),
                ],
                "properties": {
                    "part": {"type": "string"},
                    "processes": {"type": "integer", "minimum": 1},
                    "used_cores": {"type": "number", "minimum": 0},
                    "cores": {"type": "number", "minimum": 0},
                    "memory_bytes": {"type": "integer", "minimum": 0},
                    "disk_bytes": {"type": "integer", "minimum": 0},
                    "received_bits_per_second": {"type": "integer", "minimum": 0},
                    "sent_bits_per_second": {"type": "integer", "minimum": 0},
                    "basis": {
                        "type": "object",
                        "additionalProperties": False,
                        "required": ["kind", "reasons", "measured_to", "measured_processes"],
                        "properties": {
                            "kind": {"enum": ["measured", "extrapolated", "not measured"]},
                            "reasons": {"type": "array", "items": {"type": "string"}},
                            "measured_to": {
                                "type": "object",
                                "additionalProperties": {"type": "number"},
                            },
                            "measured_processes": {"type": "integer", "minimum": 1},
                        },
                    },
                },
            },
        },
        "total": {
            "type": "object",
            "additionalProperties": {"type": "number", "minimum": 0},
            "required": ["processes", "cores", "memory_bytes", "disk_bytes"],
        },
        "remarks": {"type": "array", "items": {"type": "string"}},
        "factors": {
            "type": "object",
            "required": ["measured", "commit", "processor", "cores", "busy"],
            "properties": {"busy": {"type": "boolean"}},
        },
    },
}


@pytest.mark.parametrize("records", ["0", "100", "20k", "1M"])
@pytest.mark.parametrize("which", ["of its own", "committed"])
def test_json_has_its_schema(path: Path, records: str, which: str) -> None:
    given = path if which == "of its own" else None
    found = sized(given, "--logs", records, "--spans", records, "--metrics", records)
    jsonschema.Draft202012Validator(SCHEMA).validate(found)


def test_without_a_load_there_is_what_idles(path: Path) -> None:
    found = sized(path, "--retention", "10y")
    assert found["shape"]["key"] == "one"
    assert found["load"]["series"] == 0
    edge, loki = by_part(found)["edge"], by_part(found)["loki"]
    assert edge["used_cores"] == pytest.approx(0.01 + 10 * 100e-6)
    assert (loki["disk_bytes"], loki["received_bits_per_second"]) == (0, 0)
    assert edge["basis"]["measured_to"] == {}
    assert not any("queue" in one for one in found["remarks"])


# By id, so that each has the same name in every run: what grows, and from which to which text.
GROWING: dict[str, Callable[[random.Random], tuple[str, str, str]]] = {
    "logs": lambda rng: _two(rng, "--logs", 10**6),
    "spans": lambda rng: _two(rng, "--spans", 10**6),
    "metrics": lambda rng: _two(rng, "--metrics", 10**6),
    "services": lambda rng: _two(rng, "--services", 1000, least=1),
    "hosts": lambda rng: _two(rng, "--hosts", 500, least=1),
    "series": lambda rng: _two(rng, "--series", 10**6),
    "retention": lambda rng: _two(rng, "--retention", 700, least=1, unit="d"),
    "kafka-retention": lambda rng: _two(rng, "--kafka-retention", 100, least=1, unit="h"),
}


def _two(
    rng: random.Random, option: str, most: int, least: int = 0, unit: str = ""
) -> tuple[str, str, str]:
    small, large = sorted(int(most ** rng.uniform(0, 1)) for _ in range(2))
    return option, f"{max(least, small)}{unit}", f"{max(least, large)}{unit}"


@pytest.mark.parametrize("which", ["of its own", "committed"])
@pytest.mark.parametrize("grows", GROWING)
def test_more_never_needs_less(path: Path, grows: str, which: str) -> None:
    seed = secrets.randbelow(2**32)
    print(f"seed {seed}")  # noqa: T201 (shown where the test fails)
    rng = random.Random(seed)  # noqa: S311 (not for secrets)
    given = path if which == "of its own" else None
    for _ in range(12):
        others = [
            text
            for name, two in GROWING.items()
            if name != grows
            for option, _, value in [two(rng)]
            for text in (option, value)
        ]
        option, small, large = GROWING[grows](rng)
        less, more = (sized(given, *others, option, one) for one in (small, large))
        keys = [one.key for one in shapes.SHAPES]
        assert keys.index(less["shape"]["key"]) <= keys.index(more["shape"]["key"])
        for what, value in less["total"].items():
            assert value <= more["total"][what], (what, others, option, small, large)
        if less["shape"]["key"] == more["shape"]["key"]:
            for name, one in by_part(less).items():
                other = by_part(more)[name]
                for what in ("processes", "used_cores", "memory_bytes", "disk_bytes"):
                    assert one[what] <= other[what], (name, what, others, option, small, large)


@pytest.mark.parametrize(
    ("options", "says"),
    [
        (("--logs", "many"), "--logs 'many': write records a second, such as 20000, 20k or 1.5M"),
        (("--logs=-5",), "--logs '-5': write records a second, such as 20000, 20k or 1.5M"),
        (("--logs", "nan"), "--logs 'nan': write records a second, such as 20000, 20k or 1.5M"),
        (("--spans", "2000M"), "--spans '2000M': at most 1,000,000,000 a second"),
        (
            ("--metrics", "1e5"),
            "--metrics '1e5': write records a second, such as",
        ),
        (("--retention", "14"), "--retention '14': write a number and h, d, w or y, such as 14d"),
        (("--retention", "0d"), "--retention '0d': write a number and h, d, w or y, such as 14d"),
        (("--retention", "2m"), "--retention '2m': write a number and h, d, w or y, such as 14d"),
        (
            ("--retention", "14 d"),
            "--retention '14 d': write a number and h, d, w or y",
        ),
        (("--retention", "٣d"), "--retention '٣d': write a number and h, d, w or y, such as 14d"),
        (("--retention", "11y"), "--retention '11y': at most 10y"),
        (("--kafka-retention", "x"), "--kafka-retention 'x': write a number and h, d, w or y"),
        (("--services", "0"), "--services '0': write a whole number from 1 to 1,000,000,000"),
        (("--hosts", "1.5"), "--hosts '1.5': write a whole number from 1 to 1,000,000,000"),
        (("--series=-1",), "--series '-1': write a whole number from 0 to 1,000,000,000"),
        (("--metric-interval", "0s"), "--metric-interval '0s': write a number and s, m or h"),
        (("--cpu-use", "0"), "--cpu-use '0': write a share above 0, up to 1, such as 0.5 or 50%"),
        (("--memory-use", "120%"), "--memory-use '120%': write a share above 0, up to 1"),
        (("--disk-use", "much"), "--disk-use 'much': write a share above 0, up to 1"),
        (("--process-cores", "0"), "--process-cores '0': write a number of cores above 0"),
        (("--machine-cores", "4k"), "--machine-cores '4k': write a number of cores above 0"),
        (("--machine-memory", "32"), "--machine-memory '32': write an amount with its unit"),
        (("--machine-disk", "0TB"), "--machine-disk '0TB': write an amount with its unit"),
        (
            ("--replicas", "3"),
            "--replicas '3': write kafka=3 and so on, with commas; the",
        ),
        (("--replicas", "mimir=3"), "--replicas 'mimir=3': write kafka=3 and so on"),
        (("--replicas", "loki=3,loki=1"), "--replicas 'loki=3,loki=1': loki stands there twice"),
        (("--replicas", "loki=2"), "--replicas loki=2: two cannot lose one"),
        (("--cpu-use", "1%"), "--process-cores 1 with --cpu-use 0.01 is too little: edge takes"),
        (("--factors", "/nowhere.json"), "/nowhere.json: no factors can be read (No such file"),
    ],
)
def test_a_wrong_option_is_one_line_that_names_it(
    path: Path, capsys: pytest.CaptureFixture[str], options: tuple[str, ...], says: str
) -> None:
    with pytest.raises(SystemExit) as ended:
        cli.main(["size", "--factors", str(path), *options])
    assert ended.value.code == 1
    shown = capsys.readouterr()
    assert shown.out == ""
    assert shown.err.count("\n") == 1
    assert shown.err.startswith(f"error: {says}")


def _without(name: str) -> str:
    document = sizing.document()
    del document["parts"][name]
    return json.dumps(document)


def _with(path: str, value: Any) -> str:
    document = copy.deepcopy(sizing.document())
    *way, last = path.split(".")
    at = document
    for one in way:
        at = at[one]
    at[last] = value
    return json.dumps(document)


WHOLE = json.dumps(sizing.document())
TORN = {
    "empty": ("", "it is no JSON"),
    "half": (WHOLE[: len(WHOLE) // 2], "it is no JSON"),
    "list": ("[]", "it is no JSON object"),
    "deep": ("[" * 100_000, "it is no JSON"),
    "kind": (_with("kind", "pipeline"), "kind and schema are not scale and 1"),
    "schema": (_with("schema", 2), "kind and schema are not scale and 1"),
    "part": (_without("kafka"), "it has no part kafka"),
    "limits": (_with("limits", {}), "it has no limit queues, "),
    "idle": (_with("parts.edge.idle", {}), "it has no parts.edge: cpu_us"),
    "signals": (_with("parts.loki.signals.logs", {}), "it has no parts.loki: cpu_us"),
    "text": (_with("parts.tempo.idle.cpu_us", "much"), "of another kind (parts.tempo: could not"),
    "negative": (_with("parts.tempo.idle.cpu_us", -1), "parts.tempo: -1 is no number from 0 on"),
    "nan": (_with("parts.edge.signals.logs.cpu_us.slope", float("nan")), "a slope of nan"),
    "nobody": (_with("parts.edge.processes", 0), "a part has no process"),
    "null": (_with("parts", None), "a value is of another kind"),
}


@pytest.mark.parametrize("how", TORN)
def test_factors_that_are_torn_are_refused_with_one_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], how: str
) -> None:
    text, says = TORN[how]
    path = tmp_path / "torn.json"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(SystemExit):
        cli.main(["size", "--logs", "1", "--factors", str(path)])
    shown = capsys.readouterr().err
    assert shown.count("\n") == 1
    assert shown.startswith(f"error: {path} is no result of make bench-scale: {says}") or (
        says in shown and shown.startswith(f"error: {path} is no result of make bench-scale: ")
    )
    assert "--factors" in shown


def test_what_costs_less_than_nothing_costs_nothing(tmp_path: Path) -> None:
    path = tmp_path / "factors.json"
    path.write_text(_with("parts.edge.signals.logs.memory_mib.slope", -5), encoding="utf-8")
    assert factors.read(path).parts["edge"].signals["logs"].memory.slope == 0
    said = "more logs count as no memory at edge: no rise was measured that stands out of the noise"
    assert said in sized(path, "--logs", "1000")["remarks"]
    # Neither what is not sent, nor what rises.
    assert not any("count as no" in one for one in sized(path, "--spans", "1000")["remarks"])


def test_what_services_and_series_seem_not_to_cost_is_said(tmp_path: Path) -> None:
    path = tmp_path / "factors.json"
    document = json.loads(_with("parts.loki.services.cpu_us.slope", -150))
    document["parts"]["edge"]["services"]["cpu_us"]["slope"] = 0
    document["parts"]["prometheus"]["series"]["cpu_us"]["slope"] = -0.1
    path.write_text(json.dumps(document), encoding="utf-8")
    found = [one for one in sized(path, "--logs", "1000")["remarks"] if "count as no" in one]
    tail = "no rise was measured that stands out of the noise"
    assert found == [
        f"more services count as no CPU time at edge, loki: {tail}",
        f"more series count as no CPU time at prometheus: {tail}",
    ]


@pytest.mark.parametrize(
    ("text", "seconds"), [("36h", 36 * 3600), ("14d", 14 * DAY_S), ("2w", 14 * DAY_S)]
)
def test_durations(text: str, seconds: int) -> None:
    assert quantities.duration_s("--retention", text) == seconds


def test_shares_and_amounts() -> None:
    assert quantities.share("--cpu-use", "50%") == quantities.share("--cpu-use", "0.5") == 0.5
    assert quantities.size_bytes("--machine-memory", "32GiB") == 32 * 2**30
    assert quantities.size_bytes("--machine-disk", "1.5 TB") == 1.5 * 10**12
    assert quantities.rate("--logs", "1.5M") == 1_500_000
    assert quantities.up(0.1 * 3, 1) == 0.3
    assert quantities.up(0.301, 1) == 0.4


def test_limits_that_a_load_goes_over_are_named(path: Path) -> None:
    quiet = sized(path, "--logs", "1000")["remarks"]
    assert not any("admission" in one for one in quiet)
    many = sized(path, "--logs", "210k", "--spans", "200k", "--services", "5", "--retention", "1h")
    assert any(
        one.startswith("a service sends 82,000 records a second, and waits from 20,000 on")
        for one in many["remarks"]
    )
    assert any(one.startswith("loki would get 120 MiB a second") for one in many["remarks"])
    assert any(one.startswith("tempo would get 114 MiB a second") for one in many["remarks"])
    services = sized(path, "--services", "1001", "--series", "60001")["remarks"]
    assert any(one.startswith("1,001 services are more than the 1,000") for one in services)
    assert any(one.startswith("60,001 series come to an edge") for one in services)
    kept = sized(path, "--metrics", "10k", "--series", "1000", "--retention", "365d")["remarks"]
    assert any(one.startswith("prometheus would drop the oldest at 10 GB") for one in kept)
    assert any(
        one.startswith("an edge's queue of 100 MiB holds logs of 3 minutes")
        for one in sized(path, "--logs", "1000")["remarks"]
    )


def test_people_see_a_table_with_what_each_figure_rests_on(
    path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as ended:
        cli.main(
            ["size", "--factors", str(path), "--logs", "20k", "--hosts", "2", "--retention", "1d"]
        )
    assert ended.value.code == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "shape: several hosts, one gateway (deploy/README.md)"
    assert lines[1] == "  not enough: one machine: services run on 2 hosts"
    words = {line.split()[0]: line.split()[1:] for line in lines if line.strip()}
    # 20,000 times 20 µs + 10 times 100 µs + 2 times 0.01 = 0.421 cores, twice that to be half busy.
    assert words["edge"][:2] == ["2", "0.9"]
    assert any(
        line.startswith("  edge: extrapolated: 10,000 logs/s in one process, measured to 5,000")
        for line in lines
    )
    assert lines[-1] == (
        "factors: measured 2026-11-28, commit abcdef123456, 2 cores of A processor"
    )


def test_a_busy_machine_is_named(tmp_path: Path) -> None:
    path = tmp_path / "factors.json"

    def origin(text: str) -> Factors:
        path.write_text(text, encoding="utf-8")
        return factors.read(path)

    assert not origin(WHOLE).busy
    assert not origin(_with("parts.edge.others_cores", 0.1)).busy
    busy = origin(_with("parts.edge.others_cores", 0.6))
    assert busy.busy
    assert "busy machine" in busy.origin


def test_the_package_has_the_factors(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Without a checkout around, as in the image of the command."""
    monkeypatch.chdir(tmp_path)
    found = sized(None, "--logs", "20000", "--spans", "50000", "--metrics", "5000")
    assert found["parts"]
    with pytest.raises(StackError, match="no factors can be read"):
        factors.read(tmp_path / "factors.json")


def test_the_wheel_holds_the_factors(tmp_path: Path) -> None:
    uv = os.environ.get("UV") or shutil.which("uv") or str(ROOT / ".uv" / "bin" / "uv")
    built = subprocess.run(
        [uv, "build", "--quiet", "--wheel", "-o", str(tmp_path), str(ROOT / "dev" / "cli")],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
    )
    assert built.returncode == 0, built.stderr
    [wheel] = tmp_path.glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        assert archive.read("glasshouse_cli/size/factors.json") == factors.FILE.read_bytes()
