"""Orders, with Starlette."""

import logging
import os

import httpx
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

WAREHOUSE = os.environ.get("WAREHOUSE_URL", "http://127.0.0.1:9000")
logger = logging.getLogger(__name__)
client = httpx.AsyncClient()


async def read_order(request: Request) -> JSONResponse:
    order = request.path_params["order"]
    logger.warning("Order %s is read", order)
    await client.get(f"{WAREHOUSE}/stock/{order}")
    logger.getChild("stock").warning("Order %s is in stock", order)
    return JSONResponse({"order": order})


async def create_order(request: Request) -> JSONResponse:
    return JSONResponse({"fields": len(await request.json())})


async def invite(request: Request) -> JSONResponse:
    raise ValueError(f"cannot mail {request.query_params['to']}")


app = Starlette(
    routes=[
        Route("/orders/{order}", read_order),
        Route("/orders", create_order, methods=["POST"]),
        Route("/invite", invite),
    ]
)
