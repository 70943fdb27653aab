"""A fault in a file of the user's is a line that names file and line and says what to do."""

# ruff: noqa: E501 (one row a fault)

import json
import re
import shutil
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pytest

from glasshouse_cli import compose, project, runbooks
from glasshouse_cli.console import Terminal
from glasshouse_cli.errors import StackError
from glasshouse_cli.own import check, command, folder, known, made, names, promql, skeleton
from glasshouse_cli.own.folder import Own
from glasshouse_cli.project import Project

ROOT = Path(__file__).parents[3]
CHECKOUT = project.load(ROOT)


@pytest.fixture(scope="module")
def sound(tmp_path_factory: pytest.TempPathFactory) -> Path:
    where = tmp_path_factory.mktemp("sound") / "mine"
    skeleton.write(CHECKOUT, folder.at(CHECKOUT, where), names.of("booking", None))
    return where


@pytest.fixture
def own(tmp_path: Path, sound: Path) -> Own:
    """A folder without a fault, to be changed."""
    shutil.copytree(sound, tmp_path / "mine")
    return folder.at(CHECKOUT, tmp_path / "mine")


def faults(own: Own) -> list[str]:
    prefix = f"{own.prefix}/"
    return [str(one).removeprefix(prefix) for one in check.static(CHECKOUT, own)]


def changed(own: Own, name: str, old: str, new: str) -> None:
    path = own.folder / name
    text = path.read_text(encoding="utf-8")
    assert old in text
    path.write_text(text.replace(old, new, 1), encoding="utf-8")


RULES = "rules/booking.yaml"
EVENTS = "telemetry/booking.yaml"
GOALS = "objectives/booking.yaml"
BOARD = "dashboards/booking.json"
PAGE = "runbooks/BookingFailures.md"


def test_a_folder_without_a_fault_has_none(own: Own) -> None:
    assert faults(own) == []


@pytest.mark.parametrize(
    ("name", "old", "new", "wanted"),
    [
        (EVENTS, "type: double", "type: decimal", r"telemetry/booking.yaml:\d+: unknown type decimal"),
        (EVENTS, "groups:", "groups: [", r"telemetry/booking.yaml:\d+: not YAML: "),
        (EVENTS, "level: info", "level: notice", r"telemetry/booking.yaml:\d+: unknown level notice"),
        (EVENTS, "ref: error.type", "ref: error.kind", r"telemetry/booking.yaml:\d+: .* error.kind, which does not exist"),
        (EVENTS, "metric_name: bookings", "metric_name: payments", r"telemetry/booking.yaml:\d+: the id of the metric payments"),
        (EVENTS, "examples: [7d580b2010ba52d0]", "examples: [jane@example.com]", r"telemetry/booking.yaml:8: redaction would change booking.id, 'jane@"),
        (EVENTS, "[0.1, 0.5,", "[0.1, 0.4,", r"collector/events.yaml:1: not what telemetry/ and objectives/ make: run `glasshouse own`"),
        (GOALS, "objective: 99", "objective: 100", r"objectives/booking.yaml:7: .*objective must be a percentage between 0 and 100"),
        (GOALS, "objective: 99", "objective: '99'", r"objectives/booking.yaml:10: objective of an objective must be a number"),
        (GOALS, "$ended", "$ende", r"objectives/booking.yaml:7: .*there is no value for 'ende'"),
        (GOALS, "BookingBudgetBurn", "ApiLatencyBudgetBurn", r"objectives/booking.yaml:8: the alert ApiLatencyBudgetBurn is already in prometheus/slos.yaml"),
        (GOALS, "name: booking-completion", "name: api-latency", r"objectives/booking.yaml:7: the objective api-latency is already"),
        (RULES, "severity: page", "severity: high", r"rules/booking.yaml:13: the alert BookingFailures: the label severity must be one of page"),
        (RULES, ", area: booking", "", r"rules/booking.yaml:13: the alert BookingFailures has no label area"),
        (RULES, "summary:", "sumary:", r"rules/booking.yaml:15: the alert BookingFailures has no annotation summary"),
        (RULES, "fail.", "fail", r"rules/booking.yaml:15: summary of the alert BookingFailures must be a sentence"),
        (RULES, "/user/BookingFailures.md", "/user/Booking.md", r"rules/booking.yaml:18: runbook_url of the alert BookingFailures must be"),
        (RULES, "/d/booking", "/d/bookings", r"rules/booking.yaml:19: .*leads to the dashboard bookings, which is not there: did you mean booking\?"),
        (RULES, "alert: BookingFailures", "alert: PaymentOutage", r"rules/booking.yaml:5: the alert PaymentOutage is already one of the stack's"),
        (RULES, "bookings_total", "bookings_totl", r"rules/booking.yaml:7: no metric is called bookings_totl: did you mean bookings_total\?"),
        (RULES, "groups:", "group:", r"rules/booking.yaml:2: the file has no key group"),
        ("tests/booking.yaml", "alertname: BookingFailures\n        exp_alerts", "alertname: BookingFailure\n        exp_alerts", r"tests/booking.yaml:\d+: no rule has the alert BookingFailure: did you mean BookingFailures\?"),
        (PAGE, "## Impact", "## Impacts", r"runbooks/BookingFailures.md:1: must have these headings, in this order: Meaning, Impact"),
        (PAGE, "# BookingFailures", "# Failures", r"runbooks/BookingFailures.md:1: the first line must be `# BookingFailures`"),
        (PAGE, "It worked when", "All is fine if", r"runbooks/BookingFailures.md:\d+: Mitigation must end with how to see"),
        (PAGE, "(rate(bookings_total[5m]))", "(rate(booking_total[5m]))", r"runbooks/BookingFailures.md:\d+: no metric is called booking_total"),
        (BOARD, '"uid": "booking"', '"uid": "other"', r"dashboards/booking.json:\d+: its uid is 'other': the file must be called after it"),
        (BOARD, '"panels"', 'panels', r"dashboards/booking.json:\d+: not JSON: "),
        (BOARD, 'bookings_total', 'booking_total', r"dashboards/booking.json:\d+: no metric is called booking_total: did you mean bookings_total\?"),
        (BOARD, '"uid": "loki"', '"uid": "lokki"', r"dashboards/booking.json:\d+: the panel Events asks the data source 'lokki', which is not there: did you mean loki\?"),
        ("collector/booking.yaml", "connectors:", "connectors: [", r"collector/booking.yaml:\d+: not YAML: "),
    ],
)  # fmt: skip
def test_a_fault_is_named(own: Own, name: str, old: str, new: str, wanted: str) -> None:
    changed(own, name, old, new)
    found = faults(own)
    assert any(re.match(wanted, one) for one in found), found
    assert all(one.count("\n") == 0 for one in found)
    # Little follows from it, unless an alert has another name.
    assert len(found) <= 4 or "alert:" in old, found


def test_an_alert_without_page_or_test_is_named(own: Own) -> None:
    (own.folder / PAGE).unlink()
    (own.folder / "tests" / "booking.yaml").unlink()
    assert faults(own) == [
        "rules/booking.yaml:5: no test says when BookingFailures fires: add one in tests/",
        "rules/booking.yaml:5: no test says when BookingFailures does not fire: add one in tests/",
        *(
            f"rules/objectives.yaml:29: no test says when BookingBudgetBurn {how}: add one in tests/"
            for how in ("fires", "does not fire")
        ),
        "rules/booking.yaml:5: BookingFailures has no page: write runbooks/BookingFailures.md",
    ]


def test_a_file_that_nobody_reads_is_named(own: Own) -> None:
    shutil.copy(own.folder / RULES, own.folder / "rules" / "more.yml")
    (own.folder / "dashboards" / "team").mkdir()
    assert faults(own) == [
        "rules/more.yml: is not read: its name must end in .yaml, directly in rules/".replace(
            "more.yml:", "more.yml:1:"
        ),
        "dashboards/team:1: is not read: its name must end in .json, directly in dashboards/",
    ]


def test_a_metric_of_a_library_is_listed(own: Own) -> None:
    changed(own, BOARD, "bookings_total", "cache_hits_total")
    assert "no metric is called cache_hits_total" in faults(own)[0]
    (own.folder / "metrics.txt").write_text("# of the cache\ncache_hits_total\n", encoding="utf-8")
    assert faults(own) == []


def test_events_that_nobody_may_send_are_named(own: Own) -> None:
    changed(own, "collector/booking.yaml", "    services: [{ name: booking }]", "    services: []")
    [found] = faults(own)
    assert found.startswith("telemetry/booking.yaml:46: nobody's events are counted: name the ser")


def test_a_query_of_a_data_source_that_is_chosen_is_read_too(own: Own) -> None:
    changed(own, BOARD, '"uid": "prometheus"', '"uid": "${source}"')
    changed(own, BOARD, "bookings_total", "booking_total")
    [found] = faults(own)
    assert "no metric is called booking_total" in found


@pytest.mark.parametrize("name", [RULES, EVENTS, BOARD, PAGE, "events.md", "metrics.txt"])
def test_what_is_no_text_is_named(own: Own, name: str) -> None:
    (own.folder / name).write_bytes(b"\xff\xfe")
    found = [one for one in faults(own) if one.startswith(name)]
    assert found
    assert "utf-8" in found[0].lower()


@pytest.mark.parametrize("value", ["null", "5", "{}", "[5]", '[{"targets": 5}]', '[{"panels": 5}]'])
def test_a_dashboard_of_any_shape_is_read(own: Own, value: str) -> None:
    text = f'{{"uid": "odd", "title": "Odd", "panels": {value}}}'
    (own.folder / "dashboards" / "odd.json").write_text(text, encoding="utf-8")
    assert faults(own) == []


def test_an_export_for_others_is_named(own: Own) -> None:
    changed(own, BOARD, '"uid": "booking"', '"uid": "booking",\n  "__inputs": []')
    [found] = faults(own)
    assert found.endswith("export it without `Export for sharing externally`")


def test_what_lies_beside_the_parts_stays_private(own: Own) -> None:
    key, rule = own.folder / "vendor_key", own.folder / RULES
    key.write_text("secret")
    for path in (key, rule):
        path.chmod(0o600)
    own.folder.chmod(0o700)
    own.let_containers_read(SimpleNamespace(rootless=True, remaps_users=False))  # type: ignore[arg-type]
    modes = [oct(path.stat().st_mode & 0o777) for path in (key, rule, own.folder)]
    assert modes == ["0o600", "0o644", "0o755"]


def test_a_name_of_ours_for_a_dashboard_is_named(own: Own) -> None:
    board = json.loads((own.folder / BOARD).read_text(encoding="utf-8")) | {"uid": "payments"}
    (own.folder / "dashboards" / "payments.json").write_text(json.dumps(board), encoding="utf-8")
    assert faults(own) == [
        "dashboards/payments.json:1: the stack has a dashboard payments: choose another uid"
    ]


def test_what_is_made_is_renewed_and_nobody_s_file_is_lost(own: Own) -> None:
    changed(own, EVENTS, "[0.1, 0.5,", "[0.1, 0.4,")
    changed_files = [name.removeprefix(f"{own.prefix}/") for name in made.write(CHECKOUT, own)]
    assert changed_files == ["collector/events.yaml", "events.md"]
    assert faults(own) == []
    (own.folder / EVENTS).unlink()
    changed_files = [name.removeprefix(f"{own.prefix}/") for name in made.write(CHECKOUT, own)]
    assert changed_files == ["collector/events.yaml", "events.md", "events.py"]
    assert not (own.folder / "events.py").exists()
    (own.folder / "rules" / "objectives.yaml").write_text("groups: []\n", encoding="utf-8")
    with pytest.raises(StackError, match=r"rules/objectives\.yaml:1: .* give yours another name"):
        made.write(CHECKOUT, own)
    assert (own.folder / "rules" / "objectives.yaml").read_text() == "groups: []\n"


def test_a_dollar_in_a_text_is_none_to_the_collector(own: Own) -> None:
    changed(own, EVENTS, "brief: Bookings that reached a state", "brief: Costs ${env:HOME} or $5")
    made.write(CHECKOUT, own)
    text = (own.folder / "collector" / "events.yaml").read_text(encoding="utf-8")
    assert "Costs $${env:HOME} or $$5" in text


def with_own(value: str) -> Project:
    return replace(CHECKOUT, settings={**CHECKOUT.settings, "GLASSHOUSE_OWN": value})


@pytest.mark.parametrize(
    ("value", "fault"),
    [
        ("mine", "GLASSHOUSE_OWN must be a path that begins with ./ or /, such as ./mine"),
        ("/nowhere/mine", "names /nowhere/mine, which is not there: `glasshouse init /nowhere/mine`"),
        ("/a:b", "Docker mounts no path with a colon"),
        ("./Makefile", "is no folder: name another one in GLASSHOUSE_OWN"),
    ],
)  # fmt: skip
def test_a_folder_that_cannot_be_mounted_is_one_line(value: str, fault: str) -> None:
    with pytest.raises(StackError, match=re.escape(fault)):
        folder.of(with_own(value))


def test_an_empty_folder_starts_nothing_and_changes_nothing(tmp_path: Path) -> None:
    (tmp_path / "dashboards").mkdir()
    (tmp_path / "README.md").write_text("# mine")
    checkout = with_own(str(tmp_path))
    assert folder.of(checkout).is_empty
    assert compose.configuration(checkout) == compose.configuration(CHECKOUT)
    # No image is there: nothing may be asked of one.
    command.ensure(checkout, {}, Terminal(quiet=True))


def test_a_fault_is_said_before_anything_starts(own: Own) -> None:
    changed(own, RULES, "severity: page", "severity: high")
    checkout = with_own(str(own.folder))
    # No image is there: what starts a container would fail of that.
    with pytest.raises(StackError) as refused:
        command.ensure(checkout, {}, Terminal(quiet=True))
    head, line = str(refused.value).splitlines()
    assert head == f"{own.prefix} would not work, so nothing was started:"
    assert line.startswith(f"  {own.prefix}/rules/booking.yaml:13: ")


def test_the_containers_are_made_anew_when_what_they_read_has_changed(own: Own) -> None:
    checkout = with_own(str(own.folder))
    before = compose.configuration(checkout)
    assert before != compose.configuration(CHECKOUT)
    changed(own, BOARD, "Bookings", "All bookings")  # Grafana reads these by itself
    assert compose.configuration(checkout) == before
    changed(own, "collector/booking.yaml", "name: booking", "name: bookings")
    assert compose.configuration(checkout) != before


def test_pages_of_ones_own_are_pages(own: Own) -> None:
    checkout = with_own(str(own.folder))
    found = {page.name for page in runbooks.pages(checkout)}
    assert found - {page.name for page in runbooks.pages(CHECKOUT)} == {
        "BookingFailures",
        "BookingBudgetBurn",
    }
    assert runbooks.find(checkout, "BookingFailures") == own.folder / PAGE


@pytest.mark.parametrize(
    ("query", "wanted"),
    [
        ('sum by (a) (rate(x_total{b="c_total"}[5m])) * 60', {"x_total"}),
        ("a and on (b) group_left (c) d offset 5m", {"a", "d"}),
        ("a or b unless ignoring(z) c", {"a", "b", "c"}),
        ('{__name__="bar"}', {"bar"}),
        ('{__name__=~"a.+"}', set[str]()),
        ("histogram_quantile(0.95, sum(rate(b_bucket[5m])) by (le))", {"b_bucket"}),
        ("time() - timestamp(w) > 1e3 # not_this", {"w"}),
        ("a == bool 1", {"a"}),
        ("topk(3, x) > Inf", {"x"}),
        ("max_over_time(rate(y_total[5m])[1h:1m])", {"y_total"}),
        ('slo:x:rate5m{slo="y_z"} / slo:y', {"slo:x:rate5m", "slo:y"}),
        ('label_replace(up, "a", "$1", "b", "(.*)_c")', {"up"}),
    ],
)
def test_metrics_are_found_in_a_query(query: str, wanted: set[str]) -> None:
    assert promql.metrics(query) == wanted


@pytest.mark.parametrize(
    ("query", "wanted"),
    [
        ("rate(a[$__rate_interval])", "rate(a[5m])"),
        ("rate(a[${__range}:1m])", "rate(a[5m:1m])"),
        ('a{b=~"$b"}', 'a{b=~"1"}'),
        ("topk($n, a)", "topk(1, a)"),
        ("sum by ($by) (a)", "sum by (glasshouse_variable) (a)"),
        ("${metric}_total", "glasshouse_variable_total"),
        ("$metric{a='b'}", "glasshouse_variable{a='b'}"),
    ],
)
def test_variables_are_filled_in(query: str, wanted: str) -> None:
    assert known.filled(query) == wanted


def test_every_query_of_our_own_dashboards_names_metrics_that_are_known() -> None:
    """The list that queries of the user's are held to covers what ours ask."""
    catalogue = made.catalogue(CHECKOUT, folder.at(CHECKOUT, ROOT / "own"))
    there = known.metrics(CHECKOUT, folder.at(CHECKOUT, ROOT / "own"), catalogue, set())
    assert {
        "payments_total",
        "up",
        "slo:bad:rate5m",
        "http_server_request_duration_seconds_count",
    } <= there
    assert not {"sum", "by", "le", "rate", ""} & there
