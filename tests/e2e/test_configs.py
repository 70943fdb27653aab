"""Each configuration passes the check of the very program that will read it."""

import subprocess
from pathlib import Path

import pytest

from glasshouse_cli import images
from glasshouse_cli.project import Project

CHECKS = {
    "prometheus": ["promtool", "check", "config", "/etc/prometheus/prometheus.yaml"],
    "alertmanager": ["amtool", "check-config", "/etc/alertmanager/alertmanager.yaml"],
    "loki": ["loki", "-config.file=/etc/loki/loki.yaml", "-verify-config"],
    "tempo": ["tempo", "-config.file=/etc/tempo/tempo.yaml", "-config.verify=true"],
}


@pytest.fixture(scope="module")
def tags(project: Project, docker: None) -> dict[str, str]:
    return images.resolve(CHECKS, checkout=project)


def check(
    tag: str, folder: Path, name: str, command: list[str]
) -> subprocess.CompletedProcess[str]:
    program, *arguments = command
    options = ["--rm", "--network=none", "--label=dev.glasshouse.part=tests"]
    options += ["--entrypoint", program, "--volume", f"{folder}:/etc/{name}:ro"]
    return subprocess.run(
        ["docker", "run", *options, tag, *arguments],
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )


@pytest.mark.parametrize("name", CHECKS)
def test_the_configuration_is_valid(
    project: Project, tags: dict[str, str], name: str, tmp_path: Path
) -> None:
    tag, command = tags[f"{name.upper()}_IMAGE"], CHECKS[name]
    good = check(tag, project.root / name, name, command)
    assert good.returncode == 0, good.stdout + good.stderr

    # The check can fail: one unknown key is enough.
    for file in (project.root / name).glob("*.yaml"):
        (tmp_path / file.name).write_text(f"no_such_key: 1\n{file.read_text()}")
    tmp_path.chmod(0o755)
    bad = check(tag, tmp_path, name, command)
    assert bad.returncode != 0
