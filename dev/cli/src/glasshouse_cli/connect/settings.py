"""What a service outside the stack sets to send to it."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Final
from urllib.parse import quote

import yaml

from glasshouse_cli import certificates, compose
from glasshouse_cli.errors import StackError
from glasshouse_cli.project import Project, container_user

EXAMPLE: Final = "my-service"
ENDPOINT: Final = "OTEL_EXPORTER_OTLP_ENDPOINT"
HEADERS: Final = "OTEL_EXPORTER_OTLP_HEADERS"
_TOKEN_FILE: Final = "GLASSHOUSE_OTLP_TOKEN_FILE"  # noqa: S105 (a name)
_SECRET: Final = "otlp_token"  # noqa: S105 (the name of a file)
# Where compose puts a secret in a container.
_MOUNTED: Final = "/run/secrets/{}"
# The one network of the stack that has the Collector and is for those who send.
_NETWORK: Final = "ingest"
_DESKTOP: Final = "host.docker.internal"
# Who answers to these names in that network.
TAKEN: Final = ("api", "worker", "collector")
_PLAIN: Final = re.compile(r"[A-Za-z/][\w./:=-]*(?<!:)")


class Protocol(StrEnum):
    """How OTLP travels, as OTEL_EXPORTER_OTLP_PROTOCOL has it."""

    HTTP = "http/protobuf"
    GRPC = "grpc"


_PORTS: Final = {Protocol.HTTP: ("OTLP_HTTP_PORT", 4318), Protocol.GRPC: ("OTLP_GRPC_PORT", 4317)}


@dataclass(frozen=True, kw_only=True)
class Settings:
    """What a service sets. `secret`: the variables whose value nobody else may see.

    variables: of a process on this machine. compose: what a compose file of one's own holds, for a
    service in a container; without any secret's value. notes: what has to be known of the two.
    """

    variables: Mapping[str, str]
    secret: tuple[str, ...]
    compose: str
    notes: tuple[str, ...]


def of(
    checkout: Project, *, service: str = EXAMPLE, protocol: Protocol = Protocol.HTTP
) -> Settings:
    """What `service` sets to send to the stack of this checkout, whether it runs or not.

    Raises StackError for a setting that is none, and where `make up` has yet to make a secret.
    """
    if not service.strip() or not service.isprintable():
        raise StackError(f"--service must be a name, not {service!r}")
    token = tokens(checkout.state)[0] if asks_for_token(checkout) else None
    mutual = certificates.asked_for(checkout)
    files = certificates.of(checkout.state)
    if mutual:
        certificates.context(checkout)  # refuses files that are missing or no certificates
    port, inner = _PORTS[protocol]
    scheme = "https" if mutual else "http"
    variables = {
        ENDPOINT: f"{scheme}://127.0.0.1:{checkout.port(port)}",
        "OTEL_EXPORTER_OTLP_PROTOCOL": protocol.value,
    }
    secret: list[str] = []
    if token is not None:
        # The specification has the form of W3C baggage, in which a blank is written %20. Lower
        # case: gRPC takes no other.
        variables[HEADERS] = f"authorization={quote(f'Bearer {token}', safe='')}"
        secret.append(HEADERS)
    if mutual:
        variables |= files.variables
    variables["OTEL_SERVICE_NAME"] = service
    inside = {**variables, ENDPOINT: f"{scheme}://collector:{inner}"}
    mounted: dict[str, Path] = {}
    if token is not None:
        mounted[_SECRET] = token_file(checkout.state)
    if mutual:
        for name, variable in zip(_FILES_OF_TLS, files.variables, strict=True):
            mounted[name] = Path(files.variables[variable])
            inside[variable] = _MOUNTED.format(name)
    return Settings(
        variables=variables,
        secret=tuple(secret),
        compose=_compose(checkout, service, inside, mounted),
        notes=tuple(_notes(checkout, scheme, port, has_token=token is not None, mutual=mutual)),
    )


# The secrets of docker-compose.mtls.yml, in the order of `Certificates.variables`.
_FILES_OF_TLS: Final = ("otlp_authority", "otlp_client_certificate", "otlp_client_key")


def asks_for_token(checkout: Project) -> bool:
    """Whether the Collector asks senders for a token. Raises StackError for another value."""
    value = checkout.settings.get("OTLP_AUTH") or "token"
    if value not in ("token", "none"):
        raise StackError(f"OTLP_AUTH in .env must be token or none, not {value!r}")
    return value == "token"


def token_file(state: Path) -> Path:
    """Where the tokens are."""
    return state / "secrets" / _SECRET


def tokens(state: Path) -> list[str]:
    """The tokens that the Collector takes, the current one first.

    Raises StackError when there is none.
    """
    path = token_file(state)
    try:
        found = path.read_text(encoding="ascii").split()
    except FileNotFoundError as error:
        raise StackError(f"{path} is missing: `make up` makes it") from error
    except OSError as error:
        raise StackError(f"{path} cannot be read: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise StackError(f"{path} holds no token: delete it, then `make up`") from error
    if not found:
        raise StackError(f"{path} is empty: delete it, then `make up`")
    return found


def _compose(
    checkout: Project, service: str, variables: Mapping[str, str], mounted: Mapping[str, Path]
) -> str:
    user = container_user()
    lines = [
        "services:",
        f"  {_key(service)}:",
        "    # Beside its own network, the one in which the Collector is.",
        "    networks: [default, glasshouse]",
        "    environment:",
    ]
    for name, value in variables.items():
        if name == HEADERS:
            lines += [
                "      # Any SDK: set this one where compose runs, as above, or in the .env there.",
                f"      {name}: ${{{name}:-}}",
                "      # The distro glasshouse reads the file instead.",
                f"      {_TOKEN_FILE}: {_MOUNTED.format(_SECRET)}",
            ]
        else:
            lines.append(f"      {name}: {_scalar(value)}")
    if mounted:
        lines += [
            f"    # Readable for the user {user.uid} and for root in the container.",
            f"    secrets: [{', '.join(mounted)}]",
        ]
    name = f"{compose.project_name(checkout)}_{_NETWORK}"
    lines += ["networks:", "  glasshouse:", f"    name: {_scalar(name)}", "    external: true"]
    if mounted:
        lines.append("secrets:")
        for secret, path in mounted.items():
            lines += [f"  {secret}:", f"    file: {_scalar(str(path))}"]
    return "\n".join(lines) + "\n"


def _key(service: str) -> str:
    """A name that compose takes for a service, and that nobody in the network has."""
    name = re.sub(r"[^A-Za-z0-9_.-]+", "-", service).strip("-.") or EXAMPLE
    return _scalar(f"my-{name}" if name in TAKEN else name)


def _scalar(value: str) -> str:
    """The value as YAML for compose, which takes a $ for a variable."""
    value = value.replace("$", "$$")
    if _PLAIN.fullmatch(value) and yaml.safe_load(value) == value:  # "no" is a boolean
        return value
    return json.dumps(value, ensure_ascii=False)


def _notes(
    checkout: Project, scheme: str, port: str, *, has_token: bool, mutual: bool
) -> list[str]:
    notes: list[str] = []
    if has_token:
        notes.append(
            f"{HEADERS} holds a token, which is a secret: who has it may send. Keep it out of "
            "images, repositories and logs; `glasshouse rotate otlp_token` makes another."
        )
    else:
        notes.append("OTLP_AUTH=none: no token is asked for, whoever reaches the ports may send.")
    if mutual:
        key = certificates.of(checkout.state).client_key
        notes.append(f"OTLP_TLS=mutual: {key} is a secret, too.")
    # Published on loopback: from a container's network no way leads there, but through Docker
    # Desktop, which connects from this machine.
    desktop = (
        "In a container 127.0.0.1 is the container itself, so it joins the stack's network. "
        f"Docker Desktop also takes {scheme}://{_DESKTOP}:{checkout.port(port)}; on Linux only "
        "this machine itself reaches the ports, whatever extra_hosts says"
    )
    hosts = {name.strip() for name in checkout.settings.get("GLASSHOUSE_HOSTS", "").split(",")}
    if (mutual or not has_token) and _DESKTOP not in hosts:
        desktop += f", and {_DESKTOP} has to be in GLASSHOUSE_HOSTS (.env), then `make up`"
        if mutual:
            desktop += " and `glasshouse certificates --renew`"
    notes.append(f"{desktop}.")
    return notes
