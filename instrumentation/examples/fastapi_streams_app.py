"""Streams, tasks, websockets and a mounted service, with FastAPI."""

import asyncio
import logging

from fastapi import BackgroundTasks, FastAPI, WebSocket
from fastapi.responses import StreamingResponse

logger = logging.getLogger(__name__)
app, admin = FastAPI(), FastAPI()
app.mount("/admin", admin)


@admin.get("/reports/{name}")
async def report(name: str) -> None:
    logger.warning("Report %s is made", name)


@app.get("/lines")
async def lines(pause: float = 0) -> StreamingResponse:
    async def written():
        for number in (1, 2, 3):
            logger.warning("Line %d is written", number)
            yield f"{number}\n"
            await asyncio.sleep(pause)

    return StreamingResponse(written())


@app.post("/later")
def later(to: str, tasks: BackgroundTasks) -> None:
    tasks.add_task(logger.warning, "Mail to %s is sent later", to)


@app.websocket("/chat")
async def chat(socket: WebSocket) -> None:
    await socket.accept()
    async for text in socket.iter_text():
        logger.warning("%s is said", text)
        await socket.send_text(text)
