"""The FastAPI application: the fake services, and the faults that tests set."""

from collections.abc import Sequence
from importlib.metadata import version
from typing import Annotated, Any, Final

from fastapi import Depends, FastAPI, HTTPException, Request
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException as StarletteHTTPException
from starlette.responses import JSONResponse

from glasshouse_fakes.browsers import NoPages
from glasshouse_fakes.fake_service import FakeService
from glasshouse_fakes.faults import Fault
from glasshouse_fakes.services.alerts import FakeAlerts
from glasshouse_fakes.services.chain import FakeChain
from glasshouse_fakes.services.provider import FakeProvider
from glasshouse_fakes.services.sentry import FakeSentry
from glasshouse_fakes.services.smtp import FakeSmtp
from glasshouse_fakes.settings import Settings

MAX_BODY_BYTES: Final = 1024 * 1024


def create_services(settings: Settings) -> list[FakeService]:
    """Return every fake service."""
    seed, file = settings.seed, settings.provider_secret_file
    return [
        FakeAlerts(seed),
        FakeChain(seed, settings.block_seconds),
        FakeProvider("push", seed, settings.provider_secret, secret_file=file),
        FakeSentry(seed),
        FakeProvider("sms", seed, settings.provider_secret, secret_file=file),
        FakeSmtp(
            seed,
            host=settings.host,
            port=settings.smtp_port,
            username=settings.smtp_username,
            password=settings.smtp_password,
        ),
    ]


def create_app(settings: Settings, services: Sequence[FakeService] | None = None) -> FastAPI:
    """Return the sandbox, with all fake services unless some are given."""
    by_name = {service.name: service for service in services or create_services(settings)}
    app = FastAPI(
        title="Glasshouse sandbox",
        version=version("glasshouse-fakes"),
        docs_url=None,
        redoc_url=None,
        max_body_size=MAX_BODY_BYTES,
    )
    app.add_middleware(NoPages)
    app.add_exception_handler(RequestValidationError, _on_invalid)
    app.add_exception_handler(StarletteHTTPException, _on_http_error)
    for service in by_name.values():
        app.include_router(service.router())

    def find(name: str) -> FakeService:
        if name not in by_name:
            raise HTTPException(404, f"No such service; there are {', '.join(sorted(by_name))}")
        return by_name[name]

    @app.get("/healthz")
    async def healthy() -> dict[str, str]:
        return {"status": "ok"}

    @app.get("/faults")
    async def faults() -> dict[str, Fault]:
        return {name: service.switch.fault for name, service in by_name.items()}

    @app.put("/faults/{name}")
    async def set_fault(service: Annotated[FakeService, Depends(find)], fault: Fault) -> Fault:
        if fault.mode not in service.switch.modes:
            modes = ", ".join(sorted(service.switch.modes))
            raise HTTPException(422, f"mode of {service.name} must be one of {modes}")
        service.switch.set(fault)
        return fault

    @app.delete("/faults", status_code=204)
    async def clear_faults() -> None:
        for service in by_name.values():
            service.switch.set(Fault())

    @app.get("/received/{name}")
    async def received(service: Annotated[FakeService, Depends(find)]) -> list[Any]:
        return list(service.received)

    @app.delete("/received", status_code=204)
    async def forget() -> None:
        for service in by_name.values():
            service.reset()

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
