"""Why a pull failed, in one line that names the setting."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

# What the engine writes -> what it means. The first that fits counts.
_REFUSED = (
    (
        r"toomanyrequests|429 Too Many Requests|pull rate limit",
        "it limits how often: `docker login`",
    ),
    (r"no matching manifest for (\S+)", "it has none for {0}: correct {variable} in .env"),
    (r"unauthorized|authentication required|no basic auth", "it wants a password: `docker login`"),
    (
        r"pull access denied|denied|forbidden",
        "there is none, or it wants a password: correct {variable} in .env, or `docker login`",
    ),
    (
        r"manifest unknown|manifest for .* not found|not found|name unknown",
        "there is none of this name: correct {variable} in .env",
    ),
    (r"unexpected HTTP status: 5\d\d", "it has a fault of its own: try again later"),
)
# The last: a proxy's answer in the registry's place stands there without its number.
_PROXY = re.compile(
    r"proxyconnect|Proxy Authentication Required|407|Bad Gateway from proxy"
    r'|": (?:Forbidden|Not Found|Bad Gateway|Service Unavailable|Gateway Timeout)$',
    re.MULTILINE,
)
_AUTHORITY = re.compile(
    r"x509:|certificate signed by unknown authority|failed to verify certificate"
)
_FULL = re.compile(r"no space left on device")


@dataclass(frozen=True, kw_only=True)
class Remedies:
    """How this engine gets more disk, the proxy that it uses, and where that is set."""

    disk: str = "free some"
    proxy: str = ""
    setting: str = "correct it in the engine's settings"


@dataclass(frozen=True, kw_only=True)
class Refusal:
    """A failed pull. `answered`: a registry spoke. `fatal`: nothing else can succeed either."""

    text: str
    answered: bool
    fatal: bool = False


def read(lines: Iterable[str], image: str, variable: str, remedies: Remedies) -> Refusal | None:
    """The cause in the engine's lines; None when it is none of those known."""
    text = "\n".join(lines)
    if _FULL.search(text):
        cause = f"{image} cannot be pulled, the engine's disk is full: {remedies.disk}"
        return Refusal(text=cause, answered=True, fatal=True)
    if _PROXY.search(text):
        named = f"the proxy {remedies.proxy}" if remedies.proxy else "a proxy"
        cause = (
            f"{image} cannot be pulled: {named}, which the engine uses, refuses: {remedies.setting}"
        )
        return Refusal(text=cause, answered=False)
    if _AUTHORITY.search(text):
        cause = (
            f"{image} cannot be pulled: the engine does not trust the registry's certificate. Give "
            "its authority to the engine's machine (docs/hosts.md)"
        )
        return Refusal(text=cause, answered=False)
    for pattern, meaning in _REFUSED:
        if found := re.search(pattern, text, re.IGNORECASE):
            why = meaning.format(*found.groups(), variable=variable)
            return Refusal(text=f"the registry refuses {image}: {why}", answered=True)
    return None
