"""The Collector rather stops than passes what it cannot check; its disk holds what is redacted."""

from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path

import pytest

from glasshouse_bench import surfaces
from glasshouse_cli.doctor import canary as canaries
from glasshouse_cli.project import Project
from support import collector, otlp
from support.collector import Rig
from support.waiting import until

Start = Callable[[str], AbstractContextManager[Rig]]
POLICY = "/etc/otelcol/rules.yaml"
KEY = "/run/secrets/hmac_key"


@pytest.mark.parametrize(
    ("without", "said"),
    [
        (POLICY, [POLICY, "no such file"]),
        (KEY, [KEY, "no such file"]),
    ],
    ids=["no policy", "no key"],
)
def test_it_does_not_start_open(
    without: str,
    said: list[str],
    project: Project,
    collector_image: str,
    collector_config: str,
    secrets_folder: Path,
    tmp_path: Path,
) -> None:
    mounts = {project.root / "redaction" / "rules.yaml": POLICY, secrets_folder / "hmac_key": KEY}
    kept = {source: target for source, target in mounts.items() if target != without}
    lines = collector.refusal(
        image=collector_image, config=collector_config, folder=tmp_path, mounts=kept
    )
    assert any(all(part in line for part in said) for line in lines), lines
    assert not any("panic" in line or "goroutine" in line for line in lines), lines


def test_a_bad_policy_is_reported_by_line_and_rule(
    project: Project,
    collector_image: str,
    collector_config: str,
    secrets_folder: Path,
    tmp_path: Path,
) -> None:
    policy = (project.root / "redaction" / "rules.yaml").read_text(encoding="utf-8")
    bad = tmp_path / "rules.yaml"
    bad.write_text(policy.replace("validate: jwt", "validate: jvt"), encoding="utf-8")
    lines = collector.refusal(
        image=collector_image,
        config=collector_config,
        folder=tmp_path,
        mounts={bad: POLICY, secrets_folder / "hmac_key": KEY},
    )
    number = next(i for i, line in enumerate(policy.splitlines(), 1) if "name: jwt" in line)
    assert any(
        f"{POLICY}:{number}" in line and '"jwt"' in line and "jvt" in line for line in lines
    ), lines


def files(rig: Rig) -> str:
    """Return all bytes of the queues and of what was set aside, as text."""
    files = sorted(path for path in rig.queue.rglob("*") if path.is_file())
    return "".join(path.read_bytes().decode("latin-1") for path in files)


def test_queues_on_disk_and_logs_hold_no_canary(
    redaction: str, start: Start, collector_config: str
) -> None:
    config = collector_config
    if redaction == "off":
        config = collector.without_redaction(config)
    canary = canaries.make()
    with start(config) as own:
        own.stop_sink()
        with otlp.Sender(own.endpoint, "queues") as sender:
            for signal in surfaces.LISTS:
                sender.entries(
                    signal,
                    [
                        surfaces.build(surface, 1, canary.text)
                        for surface in surfaces.SURFACES
                        if surface.signal == signal and "bytes" not in surface.name
                    ],
                )

        def probe() -> tuple[str | None, object]:
            held = files(own)
            wanted = len(surfaces.SURFACES) // 2
            found = held.count(canary.word)
            return (held if found > wanted else None), f"{found} times the sentinel"

        held = until(probe, what="the queues are on disk")
        assert canary.leaks(held) == ([] if redaction == "on" else ["email", "card", "token"])
        logs = own.logs()
    assert "Everything is ready" in logs
    assert canary.leaks(logs) == []
