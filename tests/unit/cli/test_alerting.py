"""What Alertmanager reads: receivers with a credential, and no others."""

from dataclasses import replace
from pathlib import Path

import pytest
import yaml

from glasshouse_cli import alerting, project
from glasshouse_cli.errors import StackError
from glasshouse_cli.project import Project

ROOT = Path(__file__).parents[3]
KEY = "example-routing-key"


@pytest.fixture
def here(tmp_path: Path) -> Project:
    checkout = project.load(ROOT)
    settings = {**checkout.settings, "GLASSHOUSE_STATE": str(tmp_path / "state")}
    return replace(checkout, settings=settings)


def with_setting(checkout: Project, name: str, value: str) -> Project:
    return replace(checkout, settings={**checkout.settings, name: value})


def receivers(folder: Path) -> list[str]:
    document = yaml.safe_load((folder / "alertmanager.yaml").read_text(encoding="utf-8"))
    routed = {document["route"]["receiver"]}
    routed |= {route["receiver"] for route in document["route"]["routes"]}
    names = [receiver["name"] for receiver in document["receivers"]]
    assert routed == set(names)
    assert document["route"]["receiver"] == names[0] == "nobody"
    assert document["receivers"][0].keys() == {"name"}
    return names[1:]


def test_without_credentials_only_the_sandbox_is_notified(here: Project) -> None:
    folder = alerting.ensure(here)
    assert receivers(folder) == ["sandbox"]
    assert list((folder / "credentials").iterdir()) == []


def test_the_sandbox_is_notified_only_where_it_runs(here: Project, tmp_path: Path) -> None:
    alone = with_setting(here, "COMPOSE_PROFILES", "grafana")
    assert receivers(alerting.ensure(alone)) == []
    file = tmp_path / "key"
    file.write_text(KEY)
    alone = with_setting(alone, "SLACK_WEBHOOK_URL_FILE", str(file))
    assert receivers(alerting.ensure(alone)) == ["slack"]


@pytest.mark.parametrize("name", ["key", ".key", "keys/slack"])
def test_a_path_that_compose_would_take_for_a_volume_is_refused(here: Project, name: str) -> None:
    with pytest.raises(StackError) as caught:
        alerting.ensure(with_setting(here, "SLACK_WEBHOOK_URL_FILE", name))
    assert str(caught.value) == (
        f"SLACK_WEBHOOK_URL_FILE must be a whole path, or begin with ./, not {name!r}"
    )


def test_a_credential_turns_its_receiver_on_and_its_loss_off(here: Project, tmp_path: Path) -> None:
    file = tmp_path / "key"
    file.write_text(f"{KEY}\n")
    folder = alerting.ensure(with_setting(here, "PAGERDUTY_ROUTING_KEY_FILE", str(file)))
    assert receivers(folder) == ["sandbox", "pagerduty"]
    copy = folder / "credentials" / "pagerduty_routing_key"
    assert copy.read_text() == KEY
    assert copy.stat().st_mode & 0o777 == 0o600
    assert KEY not in (folder / "alertmanager.yaml").read_text()

    assert receivers(alerting.ensure(here)) == ["sandbox"]
    assert not copy.exists()


def test_a_credential_that_cannot_be_read_is_reported(here: Project, tmp_path: Path) -> None:
    missing = with_setting(here, "SLACK_WEBHOOK_URL_FILE", str(tmp_path / "none"))
    with pytest.raises(StackError, match=r"SLACK_WEBHOOK_URL_FILE names .*none, which cannot"):
        alerting.ensure(missing)
    (tmp_path / "empty").write_text("\n")
    empty = with_setting(here, "SLACK_WEBHOOK_URL_FILE", str(tmp_path / "empty"))
    with pytest.raises(StackError, match="is empty: fill it"):
        alerting.ensure(empty)


def test_waits_are_shorter_for_tests_only(here: Project) -> None:
    def waits(folder: Path) -> tuple[str, str]:
        route = yaml.safe_load((folder / "alertmanager.yaml").read_text())["route"]
        return route["group_wait"], route["group_interval"]

    assert waits(alerting.ensure(here)) == ("5s", "30s")
    assert waits(alerting.ensure(here, speed=10)) == ("1s", "3s")
