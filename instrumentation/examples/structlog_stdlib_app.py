"""Orders, logged with structlog over the standard library; its formatter writes all lines."""

import logging

import structlog

shared = [structlog.contextvars.merge_contextvars, structlog.stdlib.add_log_level]
structlog.configure(
    processors=[
        structlog.stdlib.filter_by_level,
        *shared,
        structlog.processors.format_exc_info,
        structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
    ],
    wrapper_class=structlog.stdlib.BoundLogger,
    logger_factory=structlog.stdlib.LoggerFactory(),
    cache_logger_on_first_use=True,
)
handler = logging.StreamHandler()
handler.setFormatter(
    structlog.stdlib.ProcessorFormatter(
        foreign_pre_chain=shared, processor=structlog.processors.JSONRenderer()
    )
)
logging.basicConfig(handlers=[handler], level=logging.INFO, force=True)
log = structlog.get_logger("orders")

log.warning("Order of nora.lind@example.org", order=7, password="hunter2")
log.debug("Is not written")
logging.getLogger("stock").warning("Stock for %s", "nora.lind@example.org")
try:
    raise ValueError("card 4111111111111111 was refused for nora.lind@example.org")
except ValueError:
    log.exception("Payment failed")
