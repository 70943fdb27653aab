"""Tasks of procrastinate: `procrastinate --app procrastinate_app.app worker`; it sends some."""

import asyncio
import logging
import os

from procrastinate import App, PsycopgConnector

app = App(connector=PsycopgConnector(conninfo=os.environ["DATABASE_URL"]))
log = logging.getLogger("shop")


@app.task
async def ship(order: str, mail: str) -> None:
    log.warning("Order %s is shipped", order)


@app.task(retry=1)
def invite(mail: str) -> None:
    log.warning("Inviting somebody")
    raise ValueError(f"cannot mail {mail}")


async def main() -> None:
    async with app.open_async():
        await ship.defer_async(order="first", mail="nora.lind@example.org")
        await invite.defer_async(mail="nora.lind@example.org")


if __name__ == "__main__":
    asyncio.run(main())
