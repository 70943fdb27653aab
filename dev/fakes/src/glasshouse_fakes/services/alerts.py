"""The receiver of alerts: Alertmanager's webhook payload on ``POST /alerts``."""

from typing import Any, Literal

from fastapi import APIRouter
from pydantic import BaseModel, ConfigDict
from starlette.responses import Response

from glasshouse_fakes.fake_service import FakeService


class Alert(BaseModel):
    """One alert. Fields that Alertmanager adds are kept as they are."""

    model_config = ConfigDict(extra="allow")

    status: Literal["firing", "resolved"]
    labels: dict[str, str]
    annotations: dict[str, str] = {}


class AlertGroup(BaseModel):
    """The webhook's payload, version 4."""

    model_config = ConfigDict(extra="allow")

    version: Literal["4"]
    status: Literal["firing", "resolved"]
    receiver: str
    alerts: list[Alert]


class FakeAlerts(FakeService):
    """Keeps each group of alerts as it arrived."""

    name = "alerts"

    def router(self) -> APIRouter:
        router = APIRouter()

        @router.post("/alerts")
        async def receive(group: AlertGroup) -> Response:
            if (failure := await self.apply_fault()) is not None:
                return failure
            payload: dict[str, Any] = group.model_dump(mode="json")
            self.received.append(payload)
            return Response(status_code=204)

        return router
