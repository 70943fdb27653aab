"""A redirect to a host that is not on the list takes no context along.

These clients follow a redirect below their instrumentation, with the headers of the first hop.
httpx and urllib3 are instrumented hop by hop, where `HostPropagator` takes the headers out.
"""

import importlib
from collections.abc import Callable, MutableMapping
from typing import Any
from urllib.parse import urljoin, urlsplit

from opentelemetry import propagate
from wrapt import wrap_function_wrapper

from glasshouse.propagation import Hosts, withdraw

Headers = MutableMapping[Any, Any]


def _strip(hosts: Hosts, url: str, *headers: Headers) -> None:
    try:
        host = urlsplit(url).hostname or ""
    except ValueError:
        host = ""
    if not hosts.allow(host):
        for found in headers:
            withdraw(found, propagate.get_global_textmap().fields)


def guard_requests(hosts: Hosts) -> None:
    """Guard `requests.Session`, where it takes out credentials for the same reason."""

    def rebuild(wrapped: Callable[..., Any], _session: object, args: Any, kwargs: Any) -> Any:
        prepared = kwargs.get("prepared_request") or args[0]
        _strip(hosts, prepared.url or "", prepared.headers)
        return wrapped(*args, **kwargs)

    wrap_function_wrapper("requests.sessions", "SessionRedirectMixin.rebuild_auth", rebuild)


def guard_urllib(hosts: Hosts) -> None:
    """Guard `urllib.request`, where it makes the request of the next hop."""

    def redirect(wrapped: Callable[..., Any], _handler: object, args: Any, kwargs: Any) -> Any:
        request = wrapped(*args, **kwargs)
        if request is not None:
            _strip(hosts, request.full_url, request.headers, request.unredirected_hdrs)
        return request

    wrap_function_wrapper("urllib.request", "HTTPRedirectHandler.redirect_request", redirect)


def aiohttp_trace_config(hosts: Hosts) -> Any:
    """Return the trace configuration that guards a session of aiohttp."""

    async def on_redirect(_session: object, _context: object, params: Any) -> None:
        location = params.response.headers.get("Location") or params.response.headers.get("URI")
        # All hops share one object of headers.
        _strip(hosts, urljoin(str(params.url), location or ""), params.headers)

    # By name: the library need not be there.
    config = importlib.import_module("aiohttp").TraceConfig()
    config.on_request_redirect.append(on_redirect)
    return config
