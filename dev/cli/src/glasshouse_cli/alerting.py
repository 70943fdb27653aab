"""Makes the configuration that Alertmanager reads: only receivers that have their credential."""

from __future__ import annotations

import os
import shutil
from collections.abc import Collection
from pathlib import Path
from typing import Any

import yaml

from glasshouse_cli import profiles, rules, slos
from glasshouse_cli.errors import StackError
from glasshouse_cli.files import write_atomically
from glasshouse_cli.project import Project, User, container_user

# receiver: the setting that names the file with its credential, and the file's name inside.
CREDENTIALS = {
    "pagerduty": ("PAGERDUTY_ROUTING_KEY_FILE", "pagerduty_routing_key"),
    "slack": ("SLACK_WEBHOOK_URL_FILE", "slack_webhook_url"),
}
# Of the profile `demo`.
_SANDBOX = "sandbox"
CREDENTIALS_FOLDER = "credentials"
_INTERVALS = ("group_wait", "group_interval")


def ensure(checkout: Project, *, speed: int = 1, user: User | None = None) -> Path:
    """Write `state`/alertmanager anew and return it.

    A receiver is left out when its setting is empty, and the sandbox where it does not run.
    `speed` shortens the waits before a notification, for tests. user: who reads the credentials
    inside. Raises StackError when a setting names a file that cannot be used.
    """
    found = {name: _credential(checkout, setting) for name, (setting, _) in CREDENTIALS.items()}
    present = {name: value for name, value in found.items() if value is not None}
    folder = checkout.state / "alertmanager"
    inside = folder / CREDENTIALS_FOLDER
    shutil.rmtree(inside, ignore_errors=True)  # a credential that was taken back
    inside.mkdir(parents=True)
    user = user or container_user()
    for name, value in present.items():
        _write_secret(inside / CREDENTIALS[name][1], value, user)
    for path in (folder, inside):
        path.chmod(0o755)  # Alertmanager may run as another user
    source = checkout.root / "alertmanager" / "alertmanager.yaml"
    document = yaml.safe_load(source.read_text(encoding="utf-8"))
    target = folder / "alertmanager.yaml"
    there = {*present, *([_SANDBOX] if profiles.DEMO in profiles.asked_for(checkout) else [])}
    text = rules.dump(configured(document, there, speed=speed))
    write_atomically(target, f"# Made from alertmanager/ at each start.\n{text}")
    return folder


def configured(
    document: dict[str, Any], present: Collection[str], *, speed: int = 1
) -> dict[str, Any]:
    """Return the configuration without the receivers that need something, but those `present`."""
    absent = {*CREDENTIALS, _SANDBOX} - set(present)
    route = dict(document["route"])
    route["routes"] = [entry for entry in route["routes"] if entry["receiver"] not in absent]
    for key in _INTERVALS:
        route[key] = f"{max(1, round(slos.seconds(route[key]) / speed))}s"
    kept = [entry for entry in document["receivers"] if entry["name"] not in absent]
    return {**document, "route": route, "receivers": kept}


def _credential(checkout: Project, setting: str) -> str | None:
    name = checkout.settings.get(setting, "")
    if not name:
        return None
    if not name.startswith(("/", "./", "../", "~")):
        # Compose would take it for the name of a volume.
        raise StackError(f"{setting} must be a whole path, or begin with ./, not {name!r}")
    path = (checkout.root / Path(name).expanduser()).resolve()
    try:
        value = path.read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise StackError(f"{setting} names {path}, which cannot be read: correct it") from error
    if not value:
        raise StackError(f"{setting} names {path}, which is empty: fill it, or empty the setting")
    return value


def _write_secret(path: Path, value: str, user: User) -> None:
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        file.write(value)
    if os.geteuid() == 0:
        os.chown(path, user.uid, user.gid)
