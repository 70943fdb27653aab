"""What starts: the telemetry stack alone, with the sample backend, with Grafana."""

from dataclasses import replace
from pathlib import Path

import pytest
import yaml

from glasshouse_cli import compose, profiles, project
from glasshouse_cli.errors import StackError
from glasshouse_cli.project import Project

ROOT = Path(__file__).parents[3]
TELEMETRY = {
    "ALERTMANAGER_IMAGE",
    "CLI_IMAGE",
    "COLLECTOR_IMAGE",
    "HEALTHCHECK_IMAGE",
    "LOKI_IMAGE",
    "PROMETHEUS_IMAGE",
    "PROXY_IMAGE",
    "TEMPO_IMAGE",
}
DEMO = {"BACKEND_IMAGE", "POSTGRES_IMAGE", "SANDBOX_IMAGE", "VALKEY_IMAGE"}


def with_profiles(tmp_path: Path, text: str, *, grafana: bool = True) -> Project:
    checkout = project.load(ROOT)
    state = {"GLASSHOUSE_STATE": str(tmp_path), "COMPOSE_PROFILES": text}
    found = "GRAFANA_IMAGE=grafana/grafana:1\n" if grafana else "LOKI_IMAGE=loki:1\n"
    (tmp_path / "images.env").write_text(found)
    return replace(checkout, settings={**checkout.settings, **state})


@pytest.mark.parametrize(
    ("text", "named", "images", "without"),
    [
        ("", ["telemetry"], TELEMETRY, {"Service", "Sandbox", "Grafana"}),
        ("demo", ["demo"], TELEMETRY | DEMO, {"Grafana"}),
        ("grafana", ["grafana"], TELEMETRY | {"GRAFANA_IMAGE"}, {"Service", "Sandbox"}),
        (" grafana , demo ", ["demo", "grafana"], TELEMETRY | DEMO | {"GRAFANA_IMAGE"}, set[str]()),
    ],
)
def test_each_profile_starts_its_own_and_no_other(
    text: str, named: list[str], images: set[str], without: set[str], tmp_path: Path
) -> None:
    checkout = with_profiles(tmp_path, text)
    line = compose.command(checkout, "up")
    assert [line[n + 1] for n, part in enumerate(line) if part == "--profile"] == named
    assert set(compose.image_variables(checkout)) == images
    active = {one.name for one in compose.active_components(checkout)}
    assert active.isdisjoint(without)
    assert len(active) + len(without) == 8
    # A port of what does not start may be somebody else's.
    assert ("SERVICE_PORT" in compose.ports(checkout)) is ("demo" in named)
    assert {"OTLP_HTTP_PORT", "LOKI_PORT"} <= compose.ports(checkout).keys()


def test_grafana_is_left_out_where_its_image_cannot_be_had(tmp_path: Path) -> None:
    checkout = with_profiles(tmp_path, "demo,grafana", grafana=False)
    assert compose.active_profiles(checkout) == ["demo"]
    assert compose.active_profiles(with_profiles(tmp_path, "grafana", grafana=False)) == [
        "telemetry"
    ]


def test_what_plain_compose_started_is_known_without_a_search_for_images(tmp_path: Path) -> None:
    checkout = with_profiles(tmp_path, "demo,grafana")
    (tmp_path / "images.env").unlink()
    assert compose.active_profiles(checkout) == ["demo", "grafana"]


def test_an_unknown_profile_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(StackError) as caught:
        compose.active_profiles(with_profiles(tmp_path, "demo,kafka"))
    assert str(caught.value) == (
        "COMPOSE_PROFILES: there is no 'kafka': choose from demo, grafana, telemetry"
    )


def test_nothing_outside_a_profile_needs_what_is_in_it() -> None:
    services = yaml.safe_load((ROOT / "docker-compose.yml").read_text())["services"]
    of = {name: set(service.get("profiles", ())) for name, service in services.items()}
    needed = [
        (name, other)
        for name, service in services.items()
        for other in service.get("depends_on", ())
        if not of[other] <= of[name]
    ]
    assert needed == []
    assert {name for name, found in of.items() if found == {"demo"}} == {
        *("api", "migrate", "postgres", "sandbox", "valkey", "worker")
    }


@pytest.mark.parametrize(("text", "left_out"), [("", True), ("demo", False), ("grafana", True)])
def test_what_does_not_start_is_not_missed(text: str, left_out: bool, tmp_path: Path) -> None:
    file = profiles.write_rules(with_profiles(tmp_path, text))
    [group] = yaml.safe_load(file.read_text())["groups"]
    assert [rule["record"] for rule in group["rules"]] == ["stack:without_backend"] * left_out
