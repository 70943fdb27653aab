"""Certificates for mutual TLS on the OTLP ports: an authority of this machine's own.

They are made by the program openssl. What is valid stays; what ends within `_RENEWED_S` is made
anew, in place, so that a container that has the file mounted sees it.
"""

from __future__ import annotations

import ipaddress
import os
import re
import ssl
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from glasshouse_cli import host, ownership
from glasshouse_cli.errors import StackError
from glasshouse_cli.process import run
from glasshouse_cli.project import Project, User, container_user

OFF, MUTUAL = "off", "mutual"
_VARIABLE = "OTLP_TLS"
_TIMEOUT_S = 60.0
_AUTHORITY_DAYS, _DAYS = 3650, 365
_RENEWED_S = 30 * 24 * 3600
_KEY = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"]
_OWN_NAMES = ("localhost", "127.0.0.1", "::1")
_CLIENT = "extendedKeyUsage=clientAuth\n"
# What stands in a certificate and in a file's name, and is a key of the gateway's tenants.yaml.
_NAME = re.compile(r"[a-z0-9]([a-z0-9.-]{0,61}[a-z0-9])?")
# Distinguishes Kafka's own certificates, which may do everything there, from an edge of the same
# name: ssl.principal.mapping.rules in deploy/kafka/server.properties.
_KAFKA = "OU=kafka/CN={}"
_ADMIN = "admin"


@dataclass(frozen=True, kw_only=True)
class Certificates:
    """Where the files are. `authority` is the certificate that vouches for the others."""

    folder: Path

    @property
    def authority(self) -> Path:
        return self.folder / "authority.pem"

    @property
    def authority_key(self) -> Path:
        """Stays on this machine: it is in no container."""
        return self.folder / "authority.key"

    @property
    def client(self) -> Path:
        return self.folder / "client.pem"

    @property
    def client_key(self) -> Path:
        return self.folder / "client.key"

    @property
    def gateway(self) -> Path:
        """What a gateway shows to edges."""
        return self.folder / "gateway.pem"

    @property
    def gateway_key(self) -> Path:
        return self.folder / "gateway.key"

    def edge(self, name: str) -> Path:
        """What an edge shows to a gateway: `name` is its common name."""
        return self.folder / f"edge-{name}.pem"

    def edge_key(self, name: str) -> Path:
        return self.folder / f"edge-{name}.key"

    def kafka_gateway(self, name: str) -> Path:
        """What a gateway shows to Kafka's brokers: `name` is its common name."""
        return self.folder / f"gateway-{name}.pem"

    def kafka_gateway_key(self, name: str) -> Path:
        return self.folder / f"gateway-{name}.key"

    def broker(self, name: str) -> Path:
        """What a broker of Kafka shows to everybody: `name` is how it is reached."""
        return self.folder / f"kafka-{name}.pem"

    def broker_key(self, name: str) -> Path:
        return self.folder / f"kafka-{name}.key"

    @property
    def kafka_admin(self) -> Path:
        """What makes Kafka's topics and ACLs shows to the brokers."""
        return self.broker(_ADMIN)

    @property
    def kafka_admin_key(self) -> Path:
        return self.broker_key(_ADMIN)

    @property
    def variables(self) -> dict[str, str]:
        """What a service outside the stack sets, to send to it."""
        return {
            "OTEL_EXPORTER_OTLP_CERTIFICATE": str(self.authority),
            "OTEL_EXPORTER_OTLP_CLIENT_CERTIFICATE": str(self.client),
            "OTEL_EXPORTER_OTLP_CLIENT_KEY": str(self.client_key),
        }


def of(state: Path) -> Certificates:
    """The certificates of one state folder, whether they are made or not."""
    return Certificates(folder=state / "certificates")


def ensure(
    state: Path,
    hosts: str = "",
    *,
    anew: bool = False,
    user: User | None = None,
    edges: Sequence[str] = (),
    gateways: Sequence[str] = (),
    brokers: Sequence[str] = (),
) -> list[Path]:
    """Make what is missing or ends soon, and return what was made.

    hosts: further names of the Collector, with commas. anew: make all but the authority again.
    edges: names of edges; with any of them a gateway's certificate is made, too.
    gateways: names of gateways behind Kafka. brokers: names under which Kafka's brokers are
    reached; with any of them that of its administrator is made, too.
    Raises StackError when openssl is missing or fails, or a name is none.
    """
    for option, names in (("--edge", edges), ("--gateway", gateways), ("--broker", brokers)):
        _check_names(option, names)
    if _ADMIN in brokers:
        raise StackError(f"--broker {_ADMIN} is the administrator's name: choose another")
    user = user or container_user()
    found = of(state)
    _check_kinds(found, edges, gateways)
    try:
        found.folder.mkdir(parents=True, exist_ok=True)
        found.folder.chmod(0o700)
    except PermissionError as error:
        raise StackError(f"{found.folder} belongs to another user: run as that user") from error
    with tempfile.TemporaryDirectory(dir=found.folder) as folder:
        work = Path(folder)
        made: list[Path] = []
        if _ends_soon(found.authority):
            made += _authority(found, work)
            anew = True
        wanted = [
            ("collector", "CN=glasshouse collector", _server("collector", hosts)),
            ("client", "CN=glasshouse client", _CLIENT),
        ]
        if edges:
            wanted.append(("gateway", "CN=glasshouse gateway", _server("gateway", hosts)))
            wanted += [(f"edge-{name}", f"CN={name}", _CLIENT) for name in edges]
        wanted += [(f"gateway-{name}", f"CN={name}", _CLIENT) for name in gateways]
        if brokers:
            wanted.append((f"kafka-{_ADMIN}", _KAFKA.format(_ADMIN), _CLIENT))
            wanted += [(f"kafka-{name}", _KAFKA.format(name), _broker(name)) for name in brokers]
        for name, subject, extensions in wanted:
            if anew or _ends_soon(found.folder / f"{name}.pem"):
                made += _signed(found, name, subject, extensions, work)
    for path in found.folder.iterdir():
        if not ownership.is_private(path):
            path.chmod(0o600)
        if os.geteuid() == 0 and path != found.authority_key:
            os.chown(path, user.uid, user.gid)
    return made


def asked_for(checkout: Project) -> bool:
    """Whether the stack is to speak mutual TLS. Raises StackError for another value."""
    value = checkout.settings.get(_VARIABLE) or OFF
    if value not in (OFF, MUTUAL):
        raise StackError(f"{_VARIABLE} in .env must be {OFF} or {MUTUAL}, not {value!r}")
    return value == MUTUAL


def otlp_url(checkout: Project) -> str:
    """The address of OTLP over HTTP on this machine."""
    url = checkout.url("OTLP_HTTP_PORT")
    return url.replace("http://", "https://") if asked_for(checkout) else url


def context(checkout: Project) -> ssl.SSLContext | bool:
    """What a client of this machine shows and trusts, as httpx's `verify`.

    Raises StackError when the files cannot be read.
    """
    if not asked_for(checkout):
        return True
    files = of(checkout.state)
    try:
        made = ssl.create_default_context(cafile=str(files.authority))
        made.load_cert_chain(files.client, files.client_key)
    except (OSError, ssl.SSLError) as error:
        raise StackError(f"no usable certificates: `glasshouse certificates` ({error})") from error
    return made


def _check_names(option: str, names: Sequence[str]) -> None:
    for name in names:
        if not _NAME.fullmatch(name):
            raise StackError(
                f"{option} {name!r} is no name: use a-z, 0-9, dots and hyphens, at most 63 in all"
            )


def _check_kinds(found: Certificates, edges: Sequence[str], gateways: Sequence[str]) -> None:
    # Kafka knows both by their common names, and its ACLs let each do something else.
    taken = [one for one in gateways if one in edges or found.edge(one).exists()]
    taken += [one for one in edges if found.kafka_gateway(one).exists()]
    if taken:
        raise StackError(f"{taken[0]} names an edge and a gateway: give each a name of its own")


def _broker(name: str) -> str:
    # A broker is a client of the others.
    return f"extendedKeyUsage=serverAuth,clientAuth\nsubjectAltName={_names(name, '')}\n"


def _server(own: str, hosts: str) -> str:
    return f"extendedKeyUsage=serverAuth\nsubjectAltName={_names(own, hosts)}\n"


def _names(own: str, hosts: str) -> str:
    names = [own, *_OWN_NAMES, *(name.strip() for name in hosts.split(",") if name.strip())]
    return ",".join(_name(one) for one in dict.fromkeys(names))


def _name(name: str) -> str:
    try:
        return f"IP:{ipaddress.ip_address(name)}"
    except ValueError:
        return f"DNS:{name}"


def _ends_soon(certificate: Path) -> bool:
    if not certificate.exists():
        return True
    asked = ["x509", "-checkend", str(_RENEWED_S), "-noout", "-in", str(certificate)]
    return not run(["openssl", *asked], timeout=_TIMEOUT_S).ok


def _authority(found: Certificates, work: Path) -> list[Path]:
    key, certificate = work / "key", work / "certificate"
    _openssl(
        *("req", "-x509", *_KEY, "-keyout", str(key), "-out", str(certificate)),
        *("-days", str(_AUTHORITY_DAYS), "-subj", "/CN=Glasshouse OTLP authority"),
        *("-addext", "keyUsage=critical,keyCertSign,cRLSign"),
    )
    return _take({key: found.authority_key, certificate: found.authority})


def _signed(
    found: Certificates, name: str, subject: str, extensions: str, work: Path
) -> list[Path]:
    key, request, certificate = work / "key", work / "request", work / "certificate"
    (work / "extensions").write_text(
        f"basicConstraints=critical,CA:FALSE\nkeyUsage=critical,digitalSignature\n{extensions}",
        encoding="ascii",
    )
    _openssl(
        *("req", "-new", *_KEY, "-keyout", str(key), "-out", str(request)),
        *("-subj", f"/{subject}"),
    )
    _openssl(
        *("x509", "-req", "-in", str(request), "-out", str(certificate), "-days", str(_DAYS)),
        *("-CA", str(found.authority), "-CAkey", str(found.authority_key)),
        *("-set_serial", f"0x{os.urandom(16).hex()}", "-extfile", str(work / "extensions")),
    )
    return _take({key: found.folder / f"{name}.key", certificate: found.folder / f"{name}.pem"})


def _openssl(*arguments: str) -> None:
    ended = run(["openssl", *arguments], timeout=_TIMEOUT_S)
    if ended.code == 127:
        raise StackError(f"the program openssl is missing: {host.how_to_install('openssl')}")
    if not ended.ok:
        raise StackError(f"openssl {arguments[0]} failed: {ended.last_line}")


def _take(files: dict[Path, Path]) -> list[Path]:
    for made, path in files.items():
        path.touch(mode=0o600, exist_ok=True)
        path.write_bytes(made.read_bytes())
    return list(files.values())
