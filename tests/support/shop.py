"""The smallest service of somebody else: FastAPI under uvicorn, with no line about telemetry."""

import logging
import sys

import uvicorn
from fastapi import FastAPI

app = FastAPI()


@app.get("/orders/{order}")
async def read_order(order: str) -> dict[str, str]:
    logging.getLogger("shop").info("Order read", extra={"order": order})
    return {"order": order}


if __name__ == "__main__":
    uvicorn.run(app, port=int(sys.argv[1]), log_config=None, access_log=False)
