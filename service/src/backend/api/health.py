"""``/livez``, ``/healthz`` and ``/readyz``: without telemetry of their own."""

from collections.abc import Mapping
from typing import Any, Final, Literal

from fastapi import APIRouter, Depends, Response
from opentelemetry.instrumentation.utils import suppress_instrumentation
from pydantic import BaseModel, ConfigDict, JsonValue

from backend.api import problems
from backend.api.auth import Internal, require_internal
from backend.api.dependencies import Provided
from backend.api.gate import HEALTH_PATHS
from backend.operations.health import WORKER, Result
from backend.platform.migrate import missing
from backend.platform.version import VERSION

PATHS: Final = HEALTH_PATHS | {"/metrics", "/readyz"}
_UNAVAILABLE: Final = 503
Json = dict[str, JsonValue]

router = APIRouter(tags=["health"])

Status = Literal["ok", "failed"]
_DETAIL: Final[Json] = {"postgres": {"status": "ok", "durationSeconds": 0.0012}}


def is_health_check(scope: Any) -> bool:
    """Return whether machines repeat a request indefinitely; telemetry leaves it out."""
    return scope.get("path") in PATHS


class Live(BaseModel):
    """The process answers."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"status": "ok"}]})

    status: Literal["ok"] = "ok"


class Detail(BaseModel):
    """What one check found, beside its status: durations and ages in seconds, an error's class."""

    model_config = ConfigDict(extra="allow")

    status: Status


class Health(BaseModel):
    """With the internal token; without it there is one word a check, and no version."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"status": "ok", "version": "1.4.2", "checks": _DETAIL}]}
    )

    status: Literal["ok", "unavailable"]
    version: str | None = None
    checks: dict[str, Status | Detail]


class Readiness(BaseModel):
    """Whether requests can be served: each dependency, and migrations not applied yet."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {"status": "ok", "version": "1.4.2", "checks": _DETAIL, "migrationsMissing": []}
            ]
        }
    )

    status: Literal["ok", "unavailable"]
    version: str
    checks: dict[str, Detail]
    migrationsMissing: list[str]


def _detailed(results: Mapping[str, Result]) -> dict[str, Detail]:
    return {
        name: Detail.model_validate({"status": result.status, **result.details})
        for name, result in results.items()
    }


@router.get("/livez", summary="Does the process answer? For restarts")
async def live() -> Live:
    return Live()


@router.get(
    "/healthz",
    summary="Is the service healthy?",
    response_model_exclude_unset=True,
    responses={503: {"model": Health, "description": "At least one check fails"}},
)
async def healthy(services: Provided, response: Response, internal: Internal) -> Health:
    """Asks Postgres, Redis and the mail server where they are set, and for a live worker.

    Anybody may ask; with the internal token each check shows its details, and the version is there.
    """
    results = await services.health.current()
    is_healthy = all(result.ok for result in results.values())
    response.status_code = 200 if is_healthy else _UNAVAILABLE
    status = "ok" if is_healthy else "unavailable"
    if internal:
        return Health(status=status, version=VERSION, checks={**_detailed(results)})
    short: dict[str, Any] = {name: result.status for name, result in results.items()}
    return Health(status=status, checks=short)


@router.get(
    "/readyz",
    summary="May requests be sent here?",
    dependencies=[Depends(require_internal)],
    responses={
        **problems.responses(401),
        503: {"model": Readiness, "description": "A dependency or a migration is missing"},
    },
)
async def ready(services: Provided, response: Response) -> Readiness:
    """All migrations are applied and every dependency answers. A missing worker is none."""
    results = await services.health.current()
    needed = {name: result for name, result in results.items() if name != WORKER}
    absent: list[str] = []
    if needed["postgres"].ok:
        with suppress_instrumentation():
            absent = await missing(services.pool)
    is_ready = not absent and all(result.ok for result in needed.values())
    response.status_code = 200 if is_ready else _UNAVAILABLE
    return Readiness(
        status="ok" if is_ready else "unavailable",
        version=VERSION,
        checks=_detailed(needed),
        migrationsMissing=absent,
    )
