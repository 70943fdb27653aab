"""The operator's password: with it the proxy lets somebody read the backends."""

from __future__ import annotations

import base64
from collections.abc import Generator
from pathlib import Path
from typing import Final

import httpx

from glasshouse_cli import components
from glasshouse_cli.errors import StackError
from glasshouse_cli.project import Project

USER: Final = "glasshouse"
SECRET: Final = "operator_password"  # noqa: S105 - the name of a file
# For `curl --netrc-file`, so that the password is on no command line.
NETRC: Final = "operator_netrc"


class Operator(httpx.Auth):
    """Adds the password to requests to the proxy's ports, and to no others."""

    def __init__(self, checkout: Project) -> None:
        """Read the password. Raises StackError when there is none yet."""
        self._headers = headers(checkout.state)
        self._ports = {
            checkout.port(one.variable) for one in components.of(checkout) if one.behind_proxy
        }

    def auth_flow(self, request: httpx.Request) -> Generator[httpx.Request, httpx.Response]:
        if request.url.port in self._ports:
            request.headers.update(self._headers)
        yield request


def password(state: Path) -> str:
    """The current password. Raises StackError when there is none yet."""
    path = state / "secrets" / SECRET
    try:
        lines = path.read_text(encoding="ascii").split()
    except (OSError, UnicodeDecodeError) as error:
        raise StackError(f"{path} cannot be read: `make up` makes it") from error
    if not lines:
        raise StackError(f"{path} is empty: delete it, then `make up`")
    return lines[0]


def headers(state: Path) -> dict[str, str]:
    """The header that carries the password. Raises StackError when there is none yet."""
    pair = base64.b64encode(f"{USER}:{password(state)}".encode()).decode()
    return {"Authorization": f"Basic {pair}"}


def netrc(value: str) -> str:
    """The password in the form that curl reads from a file."""
    return f"default login {USER} password {value}\n"
