"""Writes grafana/dashboards/*.json, and the rules that record what they read over days. Run by
`make dashboards`."""

from pathlib import Path
from typing import Final

from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.models.dashboard import (
    Dashboard,
    FieldConfig,
    FieldConfigSource,
    Panel,
)

from glasshouse_dashboards import recording
from glasshouse_dashboards.boards import (
    api,
    automation,
    collectors,
    jobs,
    logs,
    notifications,
    payments,
    pipeline,
    postgres,
    service,
    services,
    slos,
    start,
)
from glasshouse_dashboards.empty_states import EMPTY_REASONS
from glasshouse_dashboards.queries import history

FOLDER: Final = Path(__file__).parents[2] / "dashboards"
# By uid, in the order in which a person goes through them.
DASHBOARDS: Final = {
    "start": start.build,
    "slos": slos.build,
    "services": services.build,
    "service": service.build,
    "api": api.build,
    "payments": payments.build,
    "automation": automation.build,
    "notifications": notifications.build,
    "jobs": jobs.build,
    "postgres": postgres.build,
    "logs": logs.build,
    "pipeline": pipeline.build,
    "collectors": collectors.build,
}


def render_all() -> dict[str, str]:
    """Return each dashboard's JSON by file name, keys sorted so that changes stay small."""
    encoder = JSONEncoder(sort_keys=True, indent=2)
    return {
        f"{uid}.json": encoder.encode(finalize(build().build())) + "\n"
        for uid, build in DASHBOARDS.items()
    }


def finalize(dashboard: Dashboard) -> Dashboard:
    """Number the panels, say in the empty ones why they may be, and keep out of addresses what
    follows from the chosen time."""
    for variable in (dashboard.templating and dashboard.templating.list_val) or []:
        if variable.name == history.VARIABLE:
            variable.skip_url_sync = True
    for number, panel in enumerate(dashboard.panels or [], start=1):
        panel.id_val = number
        reason = EMPTY_REASONS.get((str(dashboard.uid), str(panel.title)))
        if reason and isinstance(panel, Panel):
            panel.field_config = panel.field_config or FieldConfigSource(defaults=FieldConfig())
            panel.field_config.defaults.no_value = reason
    return dashboard


def main() -> None:
    """Write rules and every dashboard, and delete what no code makes any more."""
    recording.FILE.write_text(recording.render(), encoding="utf-8")
    FOLDER.mkdir(exist_ok=True)
    files = render_all()
    for path in FOLDER.glob("*.json"):
        if path.name not in files:
            path.unlink()
    for name, text in files.items():
        (FOLDER / name).write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
