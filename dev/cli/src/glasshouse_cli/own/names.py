"""What a domain is called, and everything that is called after it."""

from __future__ import annotations

import keyword
import re
from dataclasses import dataclass
from typing import Final

from glasshouse_cli.errors import StackError

_DOMAIN: Final = re.compile(r"[a-z][a-z0-9]*(_[a-z0-9]+)*")
_SERVICE: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,62}")
_LONGEST: Final = 30
# Names that OpenTelemetry gives a meaning, or that we do.
_TAKEN: Final = frozenset(
    {
        "app",
        "browser",
        "client",
        "cloud",
        "code",
        "container",
        "db",
        "deployment",
        "device",
        "dns",
        "error",
        "event",
        "exception",
        "faas",
        "feature_flag",
        "file",
        "geo",
        "glasshouse",
        "graphql",
        "host",
        "http",
        "k8s",
        "log",
        "message",
        "messaging",
        "network",
        "os",
        "otel",
        "own",
        "peer",
        "process",
        "profile",
        "rpc",
        "server",
        "service",
        "session",
        "slo",
        "source",
        "span",
        "system",
        "telemetry",
        "thread",
        "tls",
        "trace",
        "url",
        "user",
        "user_agent",
        "webengine",
    }
)


@dataclass(frozen=True, kw_only=True)
class Names:
    """All that the skeleton's files are filled with. domain: in snake_case, one of it."""

    domain: str
    plural: str
    service: str

    @property
    def alert(self) -> str:
        """What names of alerts begin with."""
        return "".join(part.capitalize() for part in self.domain.split("_"))

    @property
    def slo(self) -> str:
        return f"{self.domain.replace('_', '-')}-completion"

    def fill(self, text: str) -> str:
        """Put the names in the place of the skeleton's."""
        one, many = self.domain.replace("_", " "), self.plural.replace("_", " ")
        for name, value in {
            "domain": self.domain,
            "domains": self.plural,
            "Domain": self.alert,
            "title": one,
            "titles": many,
            "Title": one.capitalize(),
            "Titles": many.capitalize(),
            "slo": self.slo,
            "service": self.service,
        }.items():
            text = text.replace(f"__{name}__", value)
        return text


def of(domain: str, service: str | None) -> Names:
    """Return the names of a domain. Raises StackError, saying what a name may be."""
    if not _DOMAIN.fullmatch(domain) or len(domain) > _LONGEST:
        raise StackError(
            f"{domain!r} is no name for a domain: use small letters, digits and _, such as booking "
            f"or hotel_stay, {_LONGEST} characters at most (--domain NAME)"
        )
    if domain in _TAKEN or keyword.iskeyword(domain):
        raise StackError(f"{domain} has another meaning already: choose another name (--domain)")
    service = domain.replace("_", "-") if service is None else service
    if not _SERVICE.fullmatch(service):
        raise StackError(
            f"{service!r} is no name for a service: use letters, digits, ., _ and -, as "
            "OTEL_SERVICE_NAME will have it (--service NAME)"
        )
    return Names(domain=domain, plural=_plural(domain), service=service)


def guessed(folder: str, default: str) -> str:
    """Return a domain's name made of a folder's; `default` where the folder is called own."""
    word = re.sub(r"[^a-z0-9]+", "_", folder.lower()).strip("_")
    return default if word in ("", "own") else word


def _plural(word: str) -> str:
    if re.search(r"[^aeiou]y$", word):
        return word[:-1] + "ies"
    return word + ("es" if re.search(r"(s|x|z|ch|sh)$", word) else "s")
