"""Writes grafana/dashboards/*.json. Run by `make dashboards`."""

from pathlib import Path

from grafana_foundation_sdk.cog.encoder import JSONEncoder

from glasshouse_dashboards import payments

FOLDER = Path(__file__).parents[2] / "dashboards"
DASHBOARDS = {"payments": payments.build}


def rendered() -> dict[str, str]:
    """Return each dashboard's JSON by file name, keys sorted so that changes stay small."""
    encoder = JSONEncoder(sort_keys=True, indent=2)
    return {
        f"{name}.json": encoder.encode(build().build()) + "\n" for name, build in DASHBOARDS.items()
    }


def main() -> None:
    """Write every dashboard."""
    FOLDER.mkdir(exist_ok=True)
    for name, text in rendered().items():
        (FOLDER / name).write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
