"""Orders, with FastAPI's own telemetry set up by the service itself, too."""

from fastapi import FastAPI
from fastapi_app import app as orders

app = FastAPI(telemetry={"auto_configure": True})
app.router.routes.extend(orders.router.routes)
