"""Console logs: one JSON object a line (or text for people), in one shape for all libraries."""

import contextlib
import logging
import os
import sys
import threading
from collections.abc import Mapping
from traceback import format_exception
from typing import Any, Final

from glasshouse import capture, uncaught
from glasshouse.capture import talkative
from glasshouse.console import ConsoleHandler
from glasshouse.errors import ConfigurationError
from glasshouse.formatters import GcpFormatter, JsonFormatter, TextFormatter
from glasshouse.redaction import Redactor
from glasshouse.settings import service_name

LEVEL_VARIABLE: Final = "LOG_LEVEL"
FORMAT_VARIABLE: Final = "LOG_FORMAT"
_LEVELS: Final = ("DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL")
_FORMATS: Final = ("json", "text", "gcp")
# Google's own variable. Cloud Logging joins a line with its trace by the project, too.
PROJECT_VARIABLE: Final = "GOOGLE_CLOUD_PROJECT"
_TAKEN_AWAY: Final = (
    "The application has replaced the root logger's handlers: the console has its form from now "
    "on, still redacted; all records are exported as before"
)


def _choice(variable: str, environ: Mapping[str, str], allowed: tuple[str, ...]) -> str:
    value = environ.get(variable) or allowed[0]
    for choice in allowed:
        if value.lower() == choice.lower():
            return choice
    message = f"{variable}: {value!r} is not one of {', '.join(allowed)}"
    raise ConfigurationError(message)


def _without_color_message(record: logging.LogRecord) -> bool:
    """Drop uvicorn's second copy of its message, made for coloured terminals."""
    vars(record).pop("color_message", None)
    return True


class _Watch:
    """Says once that the application has taken our handler away."""

    def __init__(self, handler: logging.Handler) -> None:
        self._handler = handler
        self._said = False

    def __call__(self, _: logging.LogRecord) -> None:
        if self._said or self._handler in logging.root.handlers:
            return
        self._said = True
        values = {"name": "glasshouse", "levelno": logging.WARNING, "levelname": "WARNING"}
        self._handler.handle(logging.makeLogRecord({**values, "msg": _TAKEN_AWAY}))


def _print_redacted(kind: type[BaseException], error: BaseException, traceback: Any) -> None:
    """Write an exception as Python does: with it comes the one that it interrupted."""
    # Standard error may be gone.
    with contextlib.suppress(Exception):
        text = "".join(format_exception(kind, error, traceback))
        sys.stderr.write(Redactor.default().for_caller().text(text))
        sys.stderr.flush()


def _log_uncaught() -> None:
    """Send exceptions that nobody catches through logging, in place of standard error."""
    logger = logging.getLogger("glasshouse.uncaught")
    main_hook = sys.excepthook

    def in_main(kind: type[BaseException], error: BaseException, traceback: Any) -> None:
        if not issubclass(kind, Exception):
            # Ctrl-C, and the like.
            if main_hook is sys.__excepthook__:
                _print_redacted(kind, error, traceback)
            else:
                main_hook(kind, error, traceback)
            return
        logger.critical("Uncaught exception", exc_info=(kind, error, traceback))

    def in_thread(failed: threading.ExceptHookArgs) -> None:
        if failed.exc_value is not None:
            triple = (failed.exc_type, failed.exc_value, failed.exc_traceback)
            logger.error("Uncaught exception in a thread", exc_info=triple)

    def in_clean_up(failed: Any) -> None:
        triple = (failed.exc_type, failed.exc_value, failed.exc_traceback)
        logger.error("Exception ignored", exc_info=triple)

    sys.excepthook, threading.excepthook = in_main, in_thread
    sys.unraisablehook = in_clean_up


def _formatter(
    style: str, service: str, redactor: Redactor, environ: Mapping[str, str]
) -> logging.Formatter:
    if style == "text":
        return TextFormatter(redactor)
    if style == "gcp":
        return GcpFormatter(service, redactor, environ.get(PROJECT_VARIABLE) or None)
    return JsonFormatter(service, redactor)


def configure_logging(environ: Mapping[str, str] = os.environ) -> None:
    """Send all logging of this process to standard output, in one shape. Safe to call twice.

    Warnings go the same way, and so do exceptions that nobody catches.

    ``LOG_LEVEL`` is DEBUG, INFO (default), WARNING, ERROR or CRITICAL; ``LOG_FORMAT`` is json
    (default), text or gcp, JSON with the keys that Google's Cloud Logging reads (there
    ``GOOGLE_CLOUD_PROJECT`` names the project of the traces); the service's name becomes the field
    ``service``.

    Raises:
        ConfigurationError: one of them has another value, or the policy or key of redaction is
            unusable.
    """
    level = _choice(LEVEL_VARIABLE, {LEVEL_VARIABLE: "INFO", **environ}, _LEVELS)
    style = _choice(FORMAT_VARIABLE, environ, _FORMATS)
    root = logging.getLogger()
    if any(isinstance(handler, ConsoleHandler) for handler in root.handlers):
        return
    handler = ConsoleHandler(sys.stdout)
    service = service_name(environ)
    redactor = Redactor.default()
    handler.setFormatter(_formatter(style, service, redactor, environ))
    root.addHandler(handler)
    root.setLevel(level)
    capture.install()
    capture.watchers.append(_Watch(handler))
    logging.captureWarnings(True)
    _log_uncaught()
    uncaught.install()
    # Other handlers' reports of a record that they could not format show it as it is.
    logging.raiseExceptions = False
    # On the logger, so that it holds for the console and for OTLP.
    logging.getLogger("uvicorn.error").addFilter(_without_color_message)
    for name in talkative.NAMES:
        logging.getLogger(name).setLevel(max(logging.WARNING, root.level))
