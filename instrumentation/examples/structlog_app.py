"""Orders, logged with structlog as it is out of the box, then as JSON."""

import asyncio
import sys

import structlog

log = structlog.get_logger()


def charge(card: str) -> None:
    raise ValueError(f"card {card} was refused for nora.lind@example.org")


async def main() -> None:
    structlog.contextvars.bind_contextvars(shop="north")
    log.warning("Order of nora.lind@example.org", order=7, password="hunter2")
    await log.ainfo("Order is paid", email="nora.lind@example.org")
    try:
        charge("4111111111111111")
    except ValueError:
        log.exception("Payment failed")
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.format_exc_info,
            structlog.processors.JSONRenderer(),
        ],
        wrapper_class=structlog.make_filtering_bound_logger("info"),
        logger_factory=structlog.WriteLoggerFactory(file=sys.stderr),
        cache_logger_on_first_use=True,
    )
    structlog.get_logger().debug("Is not written")
    structlog.get_logger().info("Order is sent", email="nora.lind@example.org")


asyncio.run(main())
