"""The traffic goes to this machine and nowhere else."""

import ipaddress
from urllib.parse import urlsplit

from glasshouse_cli.errors import StackError


def check(url: str) -> str:
    """Return ``url`` without its last slash if it leads to loopback over plain HTTP.

    Raises StackError for any other: the traffic carries synthetic personal data and faults, which
    somebody else's service must never meet.
    """
    try:
        parts = urlsplit(url)
        host, port = parts.hostname or "", parts.port
    except ValueError:
        host, port, parts = "", None, urlsplit("")
    plain = parts.scheme == "http" and not parts.query and not parts.fragment
    if not plain or port == 0 or parts.username is not None or not _is_loopback(host):
        raise StackError(
            f"{url!r} is not on this machine: traffic goes to http://127.0.0.1:<port> only"
        )
    return url.rstrip("/")


def _is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
