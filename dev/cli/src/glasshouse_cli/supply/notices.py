"""THIRD_PARTY.md: what of others is shipped, and what runs beside it."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Final

from glasshouse_cli.errors import StackError
from glasshouse_cli.files import write_atomically
from glasshouse_cli.supply import crates as cargo
from glasshouse_cli.supply import licences, parts
from glasshouse_cli.supply.parts import Part

FILE: Final = "THIRD_PARTY.md"
_SHORT: Final = {
    "glasshouse-backend": "backend",
    "glasshouse-cli": "cli",
    "glasshouse-fakes": "sandbox",
}
# Programs of others that run beside ours: by the variable that names the image.
SERVICES: Final = {
    "ALERTMANAGER_IMAGE": ("Alertmanager", "Apache-2.0", "github.com/prometheus/alertmanager"),
    "GRAFANA_IMAGE": ("Grafana", "AGPL-3.0-only", "github.com/grafana/grafana"),
    "KAFKA_IMAGE": ("Apache Kafka", "Apache-2.0", "github.com/apache/kafka"),
    "LOKI_IMAGE": ("Loki", "AGPL-3.0-only", "github.com/grafana/loki"),
    "POSTGRES_IMAGE": ("PostgreSQL", "PostgreSQL", "git.postgresql.org"),
    "PROMETHEUS_IMAGE": ("Prometheus", "Apache-2.0", "github.com/prometheus/prometheus"),
    "PROXY_IMAGE": ("nginx", "BSD-2-Clause", "github.com/nginx/nginx"),
    "PYTHON_IMAGE": ("Python on Debian", "PSF-2.0; Debian's packages", "github.com/python/cpython"),
    "OBJECT_STORE_IMAGE": ("Versity S3 Gateway", "Apache-2.0", "github.com/versity/versitygw"),
    "TEMPO_IMAGE": ("Tempo", "AGPL-3.0-only", "github.com/grafana/tempo"),
    "THANOS_IMAGE": ("Thanos", "Apache-2.0", "github.com/thanos-io/thanos"),
    "VALKEY_IMAGE": ("Valkey", "BSD-3-Clause", "github.com/valkey-io/valkey"),
}
# Shared libraries that wheels bring in a folder `*.libs`: by the begin of the file's name.
BUNDLED: Final = {
    "libcom_err": ("psycopg-binary", "com_err of MIT Kerberos and e2fsprogs", "MIT"),
    "libcrypt": ("psycopg-binary", "libxcrypt", "LGPL-2.1-or-later"),
    "libcrypto": ("psycopg-binary", "OpenSSL", "Apache-2.0"),
    "libgssapi_krb5": ("psycopg-binary", "MIT Kerberos", "MIT"),
    "libk5crypto": ("psycopg-binary", "MIT Kerberos", "MIT"),
    "libkeyutils": ("psycopg-binary", "keyutils", "LGPL-2.1-or-later"),
    "libkrb5": ("psycopg-binary", "MIT Kerberos", "MIT"),
    "libkrb5support": ("psycopg-binary", "MIT Kerberos", "MIT"),
    "liblber": ("psycopg-binary", "OpenLDAP", "OLDAP-2.8"),
    "libldap": ("psycopg-binary", "OpenLDAP", "OLDAP-2.8"),
    "libpq": ("psycopg-binary", "PostgreSQL's client", "PostgreSQL"),
    "libsasl2": ("psycopg-binary", "Cyrus SASL", "BSD-3-Clause-Attribution"),
    "libssl": ("psycopg-binary", "OpenSSL", "Apache-2.0"),
}
_HEAD: Final = """\
# Third-party software

Made by `make notices` from `uv.lock`, `collector/distribution/go.sum`, `native/Cargo.lock` and
`.env`; a test holds it to them. Glasshouse itself is Apache-2.0 ([LICENSE](LICENSE)). `make sbom`
lists all that is in each image and in the native wheel, with versions and digests, in CycloneDX.

## What may be shipped

A licence that is not in this table fails `make check` and `make audit`.

| licence | why it may be shipped |
| --- | --- |
"""
_BESIDE: Final = """\

## Programs that run beside it

Loki, Tempo and Grafana are under the AGPL. They run as separate services in containers of their
own, unmodified, and are spoken to over the network only. **None of their code is linked into,
copied into or shipped with Glasshouse**: no wheel and no published image contains any of it, and
a test fails when a module of theirs under the AGPL is compiled into the Collector. The images are
their publishers'. Where no image registry answers, `make images` compiles them on your machine,
unmodified, from the modules that `dev/images/` pins; an image that you pass on then is subject to
their licence. Who changes them and offers the result over a network has to offer its source, too.

| program | licence | image | source |
| --- | --- | --- | --- |
"""
_DEBIAN: Final = """\

The images of Python packages stand on Python's official image, which is Debian. Debian's packages
are unmodified; some (`bash`, `coreutils`, `dpkg`) are separate programs under the GPL, which
nothing of ours links. Their source is at [snapshot.debian.org](https://snapshot.debian.org) under
the versions that `make sbom` lists. Where Alertmanager is compiled here, one file is ours: a page
in place of its web interface, which its module does not carry.
"""
_PYTHON: Final = """\

## Python packages

In the images `backend`, `cli` and `sandbox`, as published, on x86-64 Linux with Python 3.13. The
wheels of Glasshouse contain none of them. psycopg is under the LGPL: it is a separate package,
unmodified, which you replace by installing another version of it.

| package | version | licence | in |
| --- | --- | --- | --- |
"""
_BUNDLED: Final = """\

Wheels bring libraries of their own. These are shared, separate files, which can be replaced, too:

| in the wheel | library | licence |
| --- | --- | --- |
"""
_GO: Final = """\

## Go modules

Compiled into the Collector (`otelcol`) besides Go's standard library (BSD-3-Clause), which is
that of the toolchain.

| module | version | licence |
| --- | --- | --- |
"""
_RUST_TITLE: Final = "## Rust crates"
_RUST: Final = f"""\

{_RUST_TITLE}

Of the native wheel (`glasshouse-native`), which is optional: what is compiled into it, besides
Rust's standard library (MIT OR Apache-2.0), and what only builds it.

| crate | version | licence |
| --- | --- | --- |
"""


def render(root: Path, settings: Mapping[str, str]) -> str:
    """The page. Raises StackError naming each part whose licence is unknown or not allowed."""
    python = parts.by_image(root)
    go, rust = parts.go(root), crates(root)
    if faults := list(unlicensed([*python, *go, *rust])):
        raise StackError("; ".join(faults))
    lines = [f"| {name} | {why} |" for name, why in sorted(licences.ALLOWED.items())]
    for name, packages in sorted(licences.LIBRARIES.items()):
        why = "separate, replaceable packages, these only: "
        lines.append(f"| {name} | {why}{', '.join(f'`{one}`' for one in sorted(packages))} |")
    page = [_HEAD, *_rows(lines), _BESIDE]
    page += _rows(
        f"| {name} | {licence} | `{_without_digest(settings[variable])}` | {source} |"
        for variable, (name, licence, source) in SERVICES.items()
        if variable in settings
    )
    page += [_DEBIAN, _PYTHON]
    page += _rows(
        f"| {part.name} | {part.version} | {part.licence} | "
        f"{', '.join(_SHORT[package] for package in packages)} |"
        for part, packages in python.items()
    )
    page += [_BUNDLED, *_rows(sorted({f"| {' | '.join(row)} |" for row in BUNDLED.values()}))]
    for head, found in ((_GO, go), (_RUST, rust)):
        page += [head, *_rows(f"| {one.name} | {one.version} | {one.licence} |" for one in found)]
    return "".join(page)


def write(root: Path, settings: Mapping[str, str]) -> bool:
    """Write the page and return whether it changed."""
    text, file = render(root, settings), root / FILE
    if file.is_file() and file.read_text(encoding="utf-8") == text:
        return False
    write_atomically(file, text)
    return True


def crates(root: Path) -> list[Part]:
    """The crates of the native wheel; where there is no Cargo, with the licences of the page."""
    file = root / FILE
    page = file.read_text(encoding="utf-8") if file.is_file() else ""
    _, _, table = page.partition(_RUST_TITLE)
    rows = re.findall(r"^\| (\S+) \| (\d\S*) \| (.+) \|$", table, re.MULTILINE)
    return cargo.of(root, {(name, version): licence for name, version, licence in rows})


def unlicensed(found: Sequence[Part]) -> Iterator[str]:
    """One line for each part whose licence is unknown or may not be shipped."""
    for part in found:
        if not part.licence:
            yield f"{part.name} {part.version}: no licence found in its files, extend licences.py"
            continue
        try:
            allowed = licences.is_allowed(part.name, part.licence)
        except ValueError as error:
            yield f"{part.name} {part.version}: {error}"
            continue
        if not allowed:
            yield (
                f"{part.name} {part.version} is under {part.licence}, which may not be shipped:"
                " replace it, or say in licences.py why it may"
            )


def _rows(lines: Iterator[str] | Sequence[str]) -> list[str]:
    return [f"{line}\n" for line in lines]


def _without_digest(image: str) -> str:
    return re.sub(r"@sha256:[0-9a-f]+$", "", image)
