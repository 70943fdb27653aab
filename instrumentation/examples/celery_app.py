"""Tasks of Celery: `celery --app celery_app worker`; celery_send.py sends some."""

import logging
import os

from celery import Celery

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
