"""The Collector as it is built reads the deployed configuration with the families it includes."""

import os
import shutil
import subprocess
from pathlib import Path

ROOT = Path(__file__).parents[3]
BACKENDS = ("TEMPO", "LOKI", "PROMETHEUS")


def validate(program: Path, folder: Path) -> subprocess.CompletedProcess[str]:
    """Check the deployed configuration, with what it mounts in `folder`."""
    config = (ROOT / "collector" / "config.yaml").read_text(encoding="utf-8")
    places = {
        "/etc/otelcol/event_families.yaml": folder / "event_families.yaml",
        "/etc/otelcol/rules.yaml": ROOT / "redaction" / "rules.yaml",
        "/run/secrets/hmac_key": folder / "hmac_key",
        "/var/lib/otelcol": folder,
    }
    for deployed, here in places.items():
        assert deployed in config
        config = config.replace(deployed, str(here))
    (folder / "hmac_key").write_text("k" * 32, encoding="utf-8")
    (folder / "config.yaml").write_text(config, encoding="utf-8")
    return subprocess.run(
        [str(program), "validate", f"--config={folder / 'config.yaml'}"],
        env=os.environ | {f"{name}_ENDPOINT": "http://127.0.0.1:1" for name in BACKENDS},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def test_the_families_are_read(program: Path, tmp_path: Path) -> None:
    shutil.copy(ROOT / "collector" / "event_families.yaml", tmp_path)
    checked = validate(program, tmp_path)
    assert (checked.returncode, checked.stderr) == (0, "")


def test_a_fault_in_them_is_reported(program: Path, tmp_path: Path) -> None:
    families = (ROOT / "collector" / "event_families.yaml").read_text(encoding="utf-8")
    broken = families.replace("max: 604800", "max: -1", 1)
    (tmp_path / "event_families.yaml").write_text(broken, encoding="utf-8")
    checked = validate(program, tmp_path)
    assert checked.returncode == 1
    assert "families[1] (automation.run.duration): max: must be over 0" in checked.stderr


def test_without_them_it_does_not_start(program: Path, tmp_path: Path) -> None:
    checked = validate(program, tmp_path)
    assert checked.returncode == 1
    assert "event_families.yaml" in checked.stderr
