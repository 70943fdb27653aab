"""Orders, with Flask."""

import os

import requests
from flask import Flask, request

WAREHOUSE = os.environ.get("WAREHOUSE_URL", "http://127.0.0.1:9000")
app = Flask(__name__)


@app.get("/orders/<order>")
def read_order(order: str) -> dict[str, str]:
    app.logger.warning("Order %s is read", order)
    requests.get(f"{WAREHOUSE}/stock/{order}", timeout=10)
    app.logger.getChild("stock").warning("Order %s is in stock", order)
    return {"order": order}


@app.post("/orders")
def create_order() -> dict[str, int]:
    return {"fields": len(request.get_json())}


@app.get("/invite")
def invite() -> str:
    raise ValueError(f"cannot mail {request.args['to']}")
