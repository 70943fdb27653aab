"""Orders, logged with loguru: to standard error, and as JSON to a file."""

import sys

from loguru import logger

ORDER = {"card": "4111111111111111", "password": "hunter2"}


def charge(card: str, password: str) -> None:
    if card and password:
        raise ValueError(f"card {card} was refused for nora.lind@example.org")


def main() -> None:
    logger.info("Started for {}", "nora.lind@example.org")
    logger.remove()
    logger.add(sys.stderr, level="INFO", colorize=True, diagnose=True)
    logger.add(sys.argv[1], serialize=True, enqueue=True)
    logger.configure(extra={"shop": "north"})
    logger.bind(order=7).warning("Order of {name}", name="nora.lind@example.org")
    with logger.contextualize(step="payment"):
        try:
            charge(**ORDER)
        except ValueError:
            logger.exception("Payment failed")
    logger.opt(lazy=True).debug("Only in the file: {}", lambda: "nora.lind@example.org")
    logger.complete()


if __name__ == "__main__":
    main()
