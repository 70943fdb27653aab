"""The FastAPI application: the parts, and the switches that tests turn."""

from collections.abc import Sequence
from importlib.metadata import version
from typing import Annotated, Any, Final

from fastapi import Depends, FastAPI, HTTPException, Path, Request
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException as StarletteHTTPException
from starlette.responses import JSONResponse

from glasshouse_fakes.faults import Fault
from glasshouse_fakes.parts.alerts import Alerts
from glasshouse_fakes.parts.chain import Chain
from glasshouse_fakes.parts.provider import Provider
from glasshouse_fakes.parts.sentry import Sentry
from glasshouse_fakes.parts.smtp import Smtp
from glasshouse_fakes.settings import Settings
from glasshouse_fakes.world import Part

MAX_BODY_BYTES: Final = 1024 * 1024


def create_parts(settings: Settings) -> list[Part]:
    """Return the whole outside world."""
    seed = settings.seed
    return [
        Alerts(seed),
        Chain(seed, settings.block_seconds),
        Provider("push", seed, settings.provider_secret),
        Sentry(seed),
        Provider("sms", seed, settings.provider_secret),
        Smtp(
            seed,
            host=settings.host,
            port=settings.smtp_port,
            username=settings.smtp_username,
            password=settings.smtp_password,
        ),
    ]


def create_app(settings: Settings, parts: Sequence[Part] | None = None) -> FastAPI:
    """Return the sandbox, with all parts unless some are given."""
    world = {part.name: part for part in parts or create_parts(settings)}
    app = FastAPI(
        title="Glasshouse sandbox",
        version=version("glasshouse-fakes"),
        docs_url=None,
        redoc_url=None,
        max_body_size=MAX_BODY_BYTES,
    )
    app.add_exception_handler(RequestValidationError, _on_invalid)
    app.add_exception_handler(StarletteHTTPException, _on_http_error)
    for part in world.values():
        app.include_router(part.router())

    def named(name: Annotated[str, Path(alias="part")]) -> Part:
        if name not in world:
            raise HTTPException(404, f"No such part; there are {', '.join(sorted(world))}")
        return world[name]

    @app.get("/healthz")
    async def healthy() -> dict[str, str]:
        return {"status": "ok"}

    @app.get("/faults")
    async def faults() -> dict[str, Fault]:
        return {name: part.switch.fault for name, part in world.items()}

    @app.put("/faults/{part}")
    async def set_fault(part: Annotated[Part, Depends(named)], fault: Fault) -> Fault:
        if fault.mode not in part.switch.modes:
            modes = ", ".join(sorted(part.switch.modes))
            raise HTTPException(422, f"mode of {part.name} must be one of {modes}")
        part.switch.set(fault)
        return fault

    @app.delete("/faults", status_code=204)
    async def clear_faults() -> None:
        for part in world.values():
            part.switch.set(Fault())

    @app.get("/received/{part}")
    async def received(part: Annotated[Part, Depends(named)]) -> list[Any]:
        return list(part.received)

    @app.delete("/received", status_code=204)
    async def forget() -> None:
        for part in world.values():
            part.reset()

    return app


def _on_invalid(request: Request, error: Exception) -> JSONResponse:
    first: dict[str, Any] = error.errors()[0] if isinstance(error, RequestValidationError) else {}
    where = ".".join(str(part) for part in first.get("loc", ()))
    return _problem(422, f"{where}: {first.get('msg')}")


def _on_http_error(request: Request, error: Exception) -> JSONResponse:
    status = error.status_code if isinstance(error, StarletteHTTPException) else 500
    return _problem(status, error.detail if isinstance(error, StarletteHTTPException) else "")


def _problem(status: int, detail: str) -> JSONResponse:
    return JSONResponse(
        {"type": "about:blank", "status": status, "detail": detail},
        status_code=status,
        media_type="application/problem+json",
    )
