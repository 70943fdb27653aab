"""Orders, with FastAPI."""

import logging
import os

import httpx
from fastapi import FastAPI

WAREHOUSE = os.environ.get("WAREHOUSE_URL", "http://127.0.0.1:9000")
logger = logging.getLogger(__name__)
client = httpx.AsyncClient()
app = FastAPI()


@app.get("/orders/{order}")
async def read_order(order: str) -> dict[str, str]:
    logger.warning("Order %s is read", order)
    await client.get(f"{WAREHOUSE}/stock/{order}")
    logger.getChild("stock").warning("Order %s is in stock", order)
    return {"order": order}


@app.post("/orders")
async def create_order(order: dict[str, str]) -> dict[str, int]:
    return {"fields": len(order)}


@app.get("/invite")
async def invite(to: str) -> None:
    raise ValueError(f"cannot mail {to}")
