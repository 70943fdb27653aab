"""Asks image registries for digests and writes them into `.env`, as name:tag@sha256:…."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Final

import httpx

from glasshouse_cli.errors import StackError
from glasshouse_cli.files import write_atomically

DIGEST: Final = re.compile(r"sha256:[0-9a-f]{64}")
_TIMEOUT_S: Final = 10.0
_HUB: Final = "registry-1.docker.io"
# Lists first: their digest holds for every platform.
_ACCEPT: Final = ", ".join(
    (
        "application/vnd.oci.image.index.v1+json",
        "application/vnd.docker.distribution.manifest.list.v2+json",
        "application/vnd.oci.image.manifest.v1+json",
        "application/vnd.docker.distribution.manifest.v2+json",
    )
)
_CHALLENGE: Final = re.compile(r'(\w+)="([^"]*)"')
_OWN: Final = re.compile(r"^OWN_IMAGES=\S*$", re.MULTILINE)
_LINE: Final = re.compile(r"^(?P<variable>\w+_IMAGE)=(?P<image>\S+)$", re.MULTILINE)


@dataclass(frozen=True, kw_only=True)
class Name:
    """An image's name, taken apart. `text` is name and tag, without a digest."""

    registry: str
    repository: str
    tag: str
    text: str
    digest: str

    @classmethod
    def parse(cls, image: str) -> Name:
        """Raises StackError for a name without a tag, or with what is no digest."""
        text, _, digest = image.partition("@")
        name, colon, tag = text.rpartition(":")
        if not colon or "/" in tag:
            raise StackError(f"{image}: no tag: write name:tag into .env")
        if digest and not DIGEST.fullmatch(digest):
            raise StackError(f"{image}: {digest!r} is no digest: write sha256: and 64 digits")
        first, slash, rest = name.partition("/")
        if slash and (re.search(r"[.:]", first) or first == "localhost"):
            registry, repository = first, rest
        else:
            registry, repository = _HUB, name if slash else f"library/{name}"
        return cls(registry=registry, repository=repository, tag=tag, text=text, digest=digest)


def digest_of(image: str, *, transport: httpx.BaseTransport | None = None) -> str:
    """The digest that the registry has under the image's tag today.

    Raises StackError naming the image when the registry does not answer, or not with one.
    """
    name = Name.parse(image)
    # As Docker does: a registry on this machine is spoken to without TLS.
    local = re.match(r"(localhost|127\.\d+\.\d+\.\d+)(:|$)", name.registry)
    url = f"http{'' if local else 's'}://{name.registry}/v2/{name.repository}/manifests/{name.tag}"
    headers = {"Accept": _ACCEPT}
    try:
        with httpx.Client(timeout=_TIMEOUT_S, follow_redirects=True, transport=transport) as client:
            answer = client.head(url, headers=headers)
            if answer.status_code == httpx.codes.UNAUTHORIZED:
                headers["Authorization"] = f"Bearer {_token(client, answer, name)}"
                answer = client.head(url, headers=headers)
    except httpx.HTTPError as error:
        raise StackError(f"{name.text}: {name.registry} does not answer: {error}") from error
    if answer.status_code != httpx.codes.OK:
        raise StackError(f"{name.text}: {name.registry} answers {answer.status_code}")
    digest = answer.headers.get("Docker-Content-Digest", "")
    if not DIGEST.fullmatch(digest):
        raise StackError(f"{name.text}: {name.registry} names no digest")
    return digest


def _token(client: httpx.Client, refused: httpx.Response, name: Name) -> str:
    fields = dict(_CHALLENGE.findall(refused.headers.get("WWW-Authenticate", "")))
    realm = fields.pop("realm", "")
    if not realm.startswith("https://"):
        raise StackError(f"{name.text}: {name.registry} wants a password: docker login, then pull")
    answer = client.get(realm, params=fields)
    token = answer.json().get("token") if answer.status_code == httpx.codes.OK else None
    if not isinstance(token, str):
        raise StackError(f"{name.text}: {realm} gives no token ({answer.status_code})")
    return token


def images_in(env: str, variables: Iterable[str]) -> dict[str, str]:
    """Variable -> image, of the text of an `.env`, for those of `variables` that it has."""
    wanted = set(variables)
    return {
        found["variable"]: found["image"]
        for found in _LINE.finditer(env)
        if found["variable"] in wanted
    }


def pin(
    file: Path,
    variables: Iterable[str],
    *,
    released: Mapping[str, str] = MappingProxyType({}),
    transport: httpx.BaseTransport | None = None,
) -> dict[str, str]:
    """Write the digest of each image into the file; return variable -> image that changed.

    released: images of ours by variable, as name:tag, to be pulled from now on (OWN_IMAGES). All or
    nothing: when one registry does not answer the file stays as it was, and StackError is raised.
    """
    text = file.read_text(encoding="utf-8")
    changed: dict[str, str] = {}
    for variable, image in images_in(text, [*variables, *released]).items():
        image = released.get(variable, image)
        pinned = f"{Name.parse(image).text}@{digest_of(image, transport=transport)}"
        if pinned != image:
            changed[variable] = pinned
    if changed:
        pinned = _LINE.sub(
            lambda found: f"{found['variable']}={changed.get(found['variable'], found['image'])}",
            text,
        )
        if released:
            pinned = _OWN.sub("OWN_IMAGES=missing", pinned)
        write_atomically(file, pinned)
    return changed


def unpinned(env: str, variables: Iterable[str]) -> list[str]:
    """The images that are named without a digest."""
    return sorted(
        image for image in images_in(env, variables).values() if not Name.parse(image).digest
    )
