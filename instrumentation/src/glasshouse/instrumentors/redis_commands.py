"""Keeps values out of what upstream's instrumentation of redis says, at less of its own cost.

redis-py splits the first argument of a command at its spaces, so that
``execute_command("SET key value")`` is valid, and upstream takes all of it for the command's name:
the span is named after a value. Here a name ends where keys and values begin. What upstream finds
out anew for each command, such as the attributes of the connection, is remembered; spans are the
same otherwise.
"""

import functools
import importlib
import logging
from collections.abc import Callable
from typing import Any, Final

from glasshouse.instrumentors.known import digest

# SHA-256 of `opentelemetry/instrumentation/redis/util.py`, as 0.65b0 and 0.66b0 to 0.66b2 have it.
KNOWN: Final = frozenset(
    {
        "0d047a116e17013bc4682b2dcf1d0ab676b06133734a3b3106a1fee026087f59",
        "1df8e5f2828abfd59c315292ef2a40f77a8827a040181487d139f30c7c2ff76f",
    }
)
_PACKAGE: Final = "opentelemetry.instrumentation.redis"
_HIDDEN: Final = "?"
_ABSENT: Final = object()
_DICT: Final[Any] = dict
# As upstream names a pipeline that it cannot read.
_UNNAMED: Final = "redis"
# Commands whose second word belongs to their name: https://valkey.io/commands/
_WITH_SECOND: Final = frozenset(
    {
        "ACL",
        "CLIENT",
        "CLUSTER",
        "COMMAND",
        "CONFIG",
        "DEBUG",
        "FT.CONFIG",
        "FT.CURSOR",
        "FUNCTION",
        "JSON.DEBUG",
        "LATENCY",
        "MEMORY",
        "MODULE",
        "OBJECT",
        "PUBSUB",
        "SCRIPT",
        "SENTINEL",
        "SLOWLOG",
        "XGROUP",
        "XINFO",
    }
)
# Names and lengths of commands, and connections: an application has few of both.
_MOST: Final = 1024
_LONGEST_NAME: Final = 64

_logger = logging.getLogger("glasshouse")


def spare() -> None:
    """Put our functions in the place of upstream's. Safe to call twice.

    They stay when commands are no longer recorded: nobody asks them then.
    """
    module: Any = importlib.import_module(_PACKAGE)
    util: Any = importlib.import_module(f"{_PACKAGE}.util")
    if hasattr(module._build_span_name, "__wrapped__"):
        return
    is_known = digest(util) in KNOWN
    if not is_known:
        _logger.info("redis: upstream's instrumentation is not the known one and costs more")
    changed = {
        "_build_span_name": _span_name(module._build_span_name),
        "_build_span_meta_data_for_pipeline": _pipeline(module._build_span_meta_data_for_pipeline),
        "_format_command_args": _statement(module._format_command_args, remembers=is_known),
    }
    if is_known:
        changed["_set_connection_attributes"] = _connection(
            module._set_connection_attributes, util._extract_conn_attributes
        )
    for name, function in changed.items():
        # Upstream's package has them by name, and its own helpers call each other.
        setattr(module, name, function)
        setattr(util, name, function)


def bare(name: Any) -> Any:
    """Return the first argument of a command without what is no part of its name."""
    if isinstance(name, bytes):
        return bare(name.decode("latin-1")) if len(name.split()) > 1 else name
    if not isinstance(name, str):
        return name
    words = name.split()
    if len(words) < 2:
        return name
    kept = 2 if words[0].upper() in _WITH_SECOND else 1
    return " ".join((*words[:kept], *[_HIDDEN] * (len(words) - kept)))


def _span_name(original: Callable[..., str]) -> Callable[..., str]:
    @functools.wraps(original)
    def build(instance: Any, args: tuple[Any, ...]) -> str:
        return original(instance, (bare(args[0]), *args[1:]) if args else args)

    return build


def _pipeline(original: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(original)
    def build(instance: Any) -> Any:
        try:
            stack, resource, name = original(instance)
        except TypeError:
            # A command whose name is no text, which redis-py takes, would fail in the application.
            return [], "", _UNNAMED
        names = [one.args[0] if hasattr(one, "args") else one[0][0] for one in stack]
        kept = list(map(bare, names))
        return stack, resource, name if kept == names else " ".join(kept)

    return build


def _statement(original: Callable[..., str], *, remembers: bool) -> Callable[..., str]:
    known: dict[tuple[str, int], str] = {}

    @functools.wraps(original)
    def write(args: Any) -> str:
        if not args:
            return original(args)
        name = args[0]
        if not remembers or type(name) is not str or len(name) > _LONGEST_NAME:
            return original((bare(name), *args[1:]))
        key = name, len(args)
        found = known.get(key)
        if found is None:
            found = original((bare(name), *args[1:]))
            if len(known) >= _MOST:
                known.clear()
            known[key] = found
        return found

    return write


def _connection(
    original: Callable[..., None], extract: Callable[..., dict[str, Any]]
) -> Callable[..., None]:
    known: dict[Any, dict[str, Any]] = {}

    @functools.wraps(original)
    def describe(span: Any, client: Any, database: Any, http: Any) -> None:
        pool = getattr(client, "connection_pool", None)
        options: Any = getattr(pool, "connection_kwargs", None)
        if type(options) is not _DICT or "path" in options or not span.is_recording():
            return original(span, client, database, http)
        number: object = options.get("db")
        host: object
        port: object
        host, port = options.get("host", _ABSENT), options.get("port", _ABSENT)
        key = type(number), number, type(host), host, type(port), port, database, http
        try:
            found = known.get(key)
        except TypeError:
            return original(span, client, database, http)
        if found is None:
            found = extract(options, database, http)
            if len(known) >= _MOST:
                known.clear()
            known[key] = found
        span.set_attributes(found)
        return None

    return describe
