"""Tasks of Celery: `celery --app celery_app worker`, and `python celery_app.py` sends some."""

import logging
import os

from celery import Celery, chain
from opentelemetry import trace

app = Celery("shop", broker=os.environ["REDIS_URL"], backend=os.environ["REDIS_URL"])
app.conf.beat_schedule = {"count": {"task": "celery_app.count", "schedule": 1.0}}
log = logging.getLogger("shop")


@app.task
def ship(order: str, mail: str) -> str:
    log.warning("Order %s is shipped", order)
    return f"sent to {mail}"


@app.task
def invite(mail: str) -> None:
    raise ValueError(f"cannot mail {mail}")


@app.task(bind=True, max_retries=1, default_retry_delay=0)
def restock(self, mail: str) -> None:
    if not self.request.retries:
        raise self.retry(exc=ConnectionError(f"cannot reach {mail}"))
    log.warning("Restocked at the second attempt")


@app.task
def count() -> None:
    log.warning("Counted")


if __name__ == "__main__":
    with trace.get_tracer("shop").start_as_current_span("order"):
        chain(ship.si("first", "nora.lind@example.org"), invite.si("nora.lind@example.org"))()
        restock.delay(mail="nora.lind@example.org")
