"""What only promtool and the Collector find in files of the user's, by file and line."""

import re
from pathlib import Path

import pytest

from glasshouse_cli import images, ownership, project
from glasshouse_cli.own import check, folder, made, names, skeleton, tools
from glasshouse_cli.own.folder import Own
from glasshouse_cli.project import Project

ROOT = Path(__file__).parents[2]
CHECKOUT = project.load(ROOT)


@pytest.fixture(scope="module")
def tags(project: Project, docker: None) -> dict[str, str]:
    return images.resolve(["prometheus", "otelcol"], checkout=project)


@pytest.fixture
def own(tmp_path: Path) -> Own:
    found = folder.at(CHECKOUT, tmp_path / "mine")
    skeleton.write(CHECKOUT, found, names.of("booking", None))
    return found


def changed(own: Own, name: str, old: str, new: str) -> None:
    path = own.folder / name
    text = path.read_text(encoding="utf-8")
    assert old in text
    path.write_text(text.replace(old, new, 1), encoding="utf-8")


def by_promtool(own: Own, tags: dict[str, str]) -> list[str]:
    made.write(CHECKOUT, own)
    ownership.let_all_read([own.folder])
    found = tools.promtool(own, CHECKOUT, tags[tools.PROMETHEUS], check.look(CHECKOUT, own).queries)
    return [str(one).removeprefix(f"{own.prefix}/") for one in found]


def by_the_collector(own: Own, tags: dict[str, str], part: str = "") -> list[str]:
    if part:
        (own.folder / "collector" / "part.yaml").write_text(part, encoding="utf-8")
    ownership.let_all_read([own.folder])
    found = tools.collector(own, CHECKOUT, tags[tools.COLLECTOR])
    return [str(one).removeprefix(f"{own.prefix}/") for one in found]


def test_what_init_wrote_passes(own: Own, tags: dict[str, str]) -> None:
    assert by_promtool(own, tags) == []
    assert by_the_collector(own, tags) == []


def test_a_rule_and_a_query_that_are_no_promql_are_named(own: Own, tags: dict[str, str]) -> None:
    changed(own, "rules/booking.yaml", "sum by (channel) (increase", "sum by (channel (increase")
    changed(own, "dashboards/booking.json", "sum by (state) (rate", "sum by (state) rate")
    changed(own, "runbooks/BookingFailures.md", "sum by (channel, state)", "sum by (channel, state")
    found = by_promtool(own, tags)
    lines = {line.partition(":")[0]: line for line in found}
    assert len(lines) == len(found) == 3
    assert re.match(
        r"rules/booking.yaml:\d+: .*BookingFailures.*could not parse", lines["rules/booking.yaml"]
    )
    text = (own.folder / "dashboards" / "booking.json").read_text(encoding="utf-8").splitlines()
    at = next(number for number, line in enumerate(text, 1) if "sum by (state) rate" in line)
    assert lines["dashboards/booking.json"].startswith(
        f"dashboards/booking.json:{at}: not PromQL: "
    )
    assert lines["runbooks/BookingFailures.md"].startswith(
        "runbooks/BookingFailures.md:18: not PromQL"
    )


def test_a_rule_that_does_not_do_what_its_test_says_is_named(
    own: Own, tags: dict[str, str]
) -> None:
    changed(own, "rules/booking.yaml", "> 2.5", "> 250")
    changed(own, "objectives/booking.yaml", "objective: 99", "objective: 50")
    found = by_promtool(own, tags)
    assert len(found) == 2
    for line, name in zip(found, ("BookingFailures fires", "BookingBudgetBurn pages"), strict=True):
        match = re.match(r"tests/booking.yaml:(\d+): the test fails: alertname: Booking", line)
        assert match, line
        text = (own.folder / "tests" / "booking.yaml").read_text(encoding="utf-8").splitlines()
        assert name in text[int(match[1]) - 1]
        assert "\n" not in line


@pytest.mark.parametrize(
    ("part", "wanted"),
    [
        (
            "exporters:\n  zipkin: { endpoint: a }\n",
            r"collector/part.yaml:2: the Collector refuses it: .*zipkin",
        ),
        (
            "exporters:\n  debug:\n    verbsity: basic\n",
            r"collector/part.yaml:3: the Collector refuses it: .*verbsity",
        ),
        (
            "service:\n  pipelines:\n    logs: { exporters: [otlp_http/vendor] }\n",
            r"collector/part.yaml:3: the Collector refuses it: .*otlp_http/vendor",
        ),
        (
            "exporters: { debug: }\nservice:\n  pipelines:\n    logs/raw:\n"
            "      { receivers: [otlp], processors: [memory_limiter], exporters: [debug] }\n",
            r"collector/part.yaml:4: service.pipelines.logs/raw would pass on what it receives",
        ),
        (
            "processors:\n  pii:\n    on_error: mask\n",
            r"collector/part.yaml:3: processors.pii.on_error: what is redacted is not said here",
        ),
        (
            "processors:\n  pii: { own_keys: [card_number] }\n",
            r"collector/part.yaml:2: the Collector refuses it: .*card_number",
        ),
    ],
    ids=["type", "key", "missing", "unredacted", "policy", "card"],
)
def test_a_part_that_the_collector_refuses_is_named(
    own: Own, tags: dict[str, str], part: str, wanted: str
) -> None:
    [found] = by_the_collector(own, tags, part)
    assert re.match(wanted, found), found
    assert "\n" not in found


def test_a_part_that_it_takes_is_taken(own: Own, tags: dict[str, str]) -> None:
    """The control: the same kinds of parts, without a fault."""
    part = (
        "exporters:\n  debug:\n  otlp_http/vendor: { endpoint: 'http://a' }\n"
        "service:\n  pipelines:\n    logs: { exporters: [otlp_http/vendor] }\n    logs/mine:\n"
        "      { receivers: [otlp], processors: [memory_limiter, pii], exporters: [debug] }\n"
    )
    assert by_the_collector(own, tags, part) == []
