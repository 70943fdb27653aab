"""Asks parts from outside whether they are ready; works for images without a shell."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping

import httpx

from glasshouse_cli.errors import StackError
from glasshouse_cli.project import ONE_MACHINE, Shape

_PROBE_TIMEOUT_S = 2.0
_POLL_S = 0.25


class NotReady(StackError):
    """A part was not ready in time; `states` has the last answer of each that was not."""

    def __init__(self, states: Mapping[str, str], deadline: float, shape: Shape) -> None:
        self.states = dict(states)
        last = ", ".join(f"{name} ({state})" for name, state in states.items())
        first = next(iter(self.states))
        super().__init__(
            f"not ready after {deadline:.0f} s: {last}: `{shape.make('logs')} PART={first}` says "
            f"why; `{shape.make('up')}` again goes on waiting"
        )


def client(auth: httpx.Auth | None = None) -> httpx.Client:
    """A client for this machine's own ports: short time-outs, no proxy from the environment."""
    return httpx.Client(timeout=_PROBE_TIMEOUT_S, trust_env=False, auth=auth)


def probe(http: httpx.Client, url: str) -> str | None:
    """None when `url` answers 2xx, else what it answered instead, in a few words."""
    try:
        answer = http.get(url)
    except httpx.ConnectError:
        return "no connection"
    except httpx.TimeoutException:
        return "no answer in time"
    except (httpx.ReadError, httpx.RemoteProtocolError):
        # The engine takes connections for a program that does not yet.
        return "not listening yet"
    except httpx.HTTPError as error:
        return type(error).__name__
    if answer.is_success:
        return None
    return f"HTTP {answer.status_code} {' '.join(answer.text.split())[:80]}".strip()


def wait(
    urls: Mapping[str, str],
    *,
    deadline: float,
    auth: httpx.Auth | None = None,
    on_change: Callable[[Mapping[str, str]], None] | None = None,
    give_up: Callable[[], None] | None = None,
    shape: Shape = ONE_MACHINE,
) -> dict[str, float]:
    """Poll until each url (by part name) is ready; return seconds to ready by name.

    deadline: seconds for all. auth: what opens those that ask for it.
    on_change: receives the states of those not ready yet.
    give_up: called between polls; raises to end the wait early. shape: of the stack they are of.
    Raises NotReady with the last states.
    """
    started = time.monotonic()
    ready: dict[str, float] = {}
    with client(auth) as http:
        while True:
            states: dict[str, str] = {}
            for name, url in urls.items():
                if name in ready:
                    continue
                if (state := probe(http, url)) is None:
                    ready[name] = time.monotonic() - started
                else:
                    states[name] = state
            if not states:
                return ready
            if on_change is not None:
                on_change(states)
            if give_up is not None:
                give_up()
            if time.monotonic() - started > deadline:
                raise NotReady(states, deadline, shape)
            time.sleep(_POLL_S)
