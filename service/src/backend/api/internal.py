"""``/metrics`` and ``/jobs/status``, for who holds the internal token."""

from typing import Final

from fastapi import APIRouter, Depends, HTTPException
from starlette.responses import Response

from backend.api import problems
from backend.api.auth import require_internal
from glasshouse.prometheus import CONTENT_TYPE, prometheus_text

router = APIRouter(
    tags=["internal"],
    dependencies=[Depends(require_internal)],
    responses=problems.responses(401),
)

_EXAMPLE: Final = '# TYPE health_check_status gauge\nhealth_check_status{check="postgres"} 1.0\n'


@router.get(
    "/metrics",
    summary="This process's metrics, for installations that scrape",
    response_class=Response,
    responses={
        200: {
            "description": "Prometheus text",
            "content": {"text/plain": {"schema": {"type": "string"}, "example": _EXAMPLE}},
        },
        **problems.responses(404),
    },
)
def metrics() -> Response:
    """The same metrics that are pushed over OTLP. Off unless OTEL_METRICS_EXPORTER asks for it."""
    # Not a coroutine: it is all computing, and belongs into a thread.
    text = prometheus_text()
    if text is None:
        raise HTTPException(
            404, "Off: set OTEL_METRICS_EXPORTER=otlp,glasshouse_prometheus to serve metrics."
        )
    return Response(text, media_type=CONTENT_TYPE)
