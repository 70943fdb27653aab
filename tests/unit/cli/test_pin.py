"""Digests: asked of a registry, written into `.env`, all or none."""

from pathlib import Path

import httpx
import pytest

from glasshouse_cli.errors import StackError
from glasshouse_cli.images import pin

DIGEST = f"sha256:{'ab' * 32}"
OLD = f"sha256:{'00' * 32}"
ENV = f"""\
# Images.
LOKI_IMAGE=grafana/loki:3.7.8
POSTGRES_IMAGE=postgres:17-trixie@{OLD}
BACKEND_IMAGE=glasshouse/backend
# MORE_IMAGE=a:b
LOKI_PORT=3100
"""


def registry(asked: list[str], *, missing: str = "") -> httpx.MockTransport:
    """As Docker Hub: a token for everybody, then the digest in a header."""

    def answer(request: httpx.Request) -> httpx.Response:
        asked.append(f"{request.method} {request.url}")
        if request.url.host == "auth.example":
            return httpx.Response(200, json={"token": f"for {request.url.params['scope']}"})
        name = request.url.path.split("/manifests/")[0].removeprefix("/v2/")
        scope = f"repository:{name}:pull"
        if request.headers.get("Authorization") != f"Bearer for {scope}":
            challenge = f'Bearer realm="https://auth.example/token",service="s",scope="{scope}"'
            return httpx.Response(401, headers={"WWW-Authenticate": challenge})
        if name == missing:
            return httpx.Response(404)
        assert "application/vnd.oci.image.index.v1+json" in request.headers["Accept"]
        return httpx.Response(200, headers={"Docker-Content-Digest": DIGEST})

    return httpx.MockTransport(answer)


@pytest.fixture
def env(tmp_path: Path) -> Path:
    file = tmp_path / ".env"
    file.write_text(ENV)
    return file


def test_digests_are_written_beside_the_tags(env: Path) -> None:
    asked: list[str] = []
    changed = pin.pin(env, ["LOKI_IMAGE", "POSTGRES_IMAGE"], transport=registry(asked))
    assert changed == {
        "LOKI_IMAGE": f"grafana/loki:3.7.8@{DIGEST}",
        "POSTGRES_IMAGE": f"postgres:17-trixie@{DIGEST}",
    }
    expected = ENV.replace("loki:3.7.8", f"loki:3.7.8@{DIGEST}").replace(OLD, DIGEST)
    assert env.read_text() == expected
    assert "HEAD https://registry-1.docker.io/v2/library/postgres/manifests/17-trixie" in asked


def test_a_release_names_our_own_images_to_be_pulled(env: Path) -> None:
    env.write_text(f"{ENV}OWN_IMAGES=build\n")
    ours = {"BACKEND_IMAGE": "ghcr.io/acme/glasshouse/backend:1.2.3"}
    asked: list[str] = []
    changed = pin.pin(env, ["LOKI_IMAGE"], released=ours, transport=registry(asked))
    assert changed == {
        "LOKI_IMAGE": f"grafana/loki:3.7.8@{DIGEST}",
        "BACKEND_IMAGE": f"ghcr.io/acme/glasshouse/backend:1.2.3@{DIGEST}",
    }
    expected = ENV.replace("loki:3.7.8", f"loki:3.7.8@{DIGEST}")
    expected = expected.replace("glasshouse/backend", changed["BACKEND_IMAGE"])
    assert env.read_text() == f"{expected}OWN_IMAGES=missing\n"
    assert "HEAD https://ghcr.io/v2/acme/glasshouse/backend/manifests/1.2.3" in asked


def test_without_a_release_our_own_stay_as_they_are(env: Path) -> None:
    env.write_text(f"{ENV}OWN_IMAGES=build\n")
    pin.pin(env, ["LOKI_IMAGE"], transport=registry([]))
    assert "BACKEND_IMAGE=glasshouse/backend\n" in env.read_text()
    assert "OWN_IMAGES=build\n" in env.read_text()


def test_what_is_pinned_already_is_left(env: Path) -> None:
    pin.pin(env, ["LOKI_IMAGE"], transport=registry([]))
    assert pin.pin(env, ["LOKI_IMAGE"], transport=registry([])) == {}


def test_all_are_written_or_none(env: Path) -> None:
    with pytest.raises(StackError, match=r"postgres:17-trixie: registry-1\.docker\.io answers 404"):
        pin.pin(
            env,
            ["LOKI_IMAGE", "POSTGRES_IMAGE"],
            transport=registry([], missing="library/postgres"),
        )
    assert env.read_text() == ENV


def test_a_registry_that_does_not_answer_is_named(env: Path) -> None:
    def unreachable(request: httpx.Request) -> httpx.Response:
        raise httpx.ConnectError("refused", request=request)

    with pytest.raises(StackError, match=r"loki:3\.7\.8: registry-1\.docker\.io does not answer"):
        pin.pin(env, ["LOKI_IMAGE"], transport=httpx.MockTransport(unreachable))
    assert env.read_text() == ENV


@pytest.mark.parametrize("header", ["", "md5:1", f"{DIGEST}\tx"])
def test_what_is_no_digest_is_not_written(env: Path, header: str) -> None:
    transport = httpx.MockTransport(
        lambda _: httpx.Response(200, headers={"Docker-Content-Digest": header})
    )
    with pytest.raises(StackError, match="names no digest"):
        pin.pin(env, ["LOKI_IMAGE"], transport=transport)


def test_a_token_is_asked_for_over_tls_only(env: Path) -> None:
    challenge = {"WWW-Authenticate": 'Bearer realm="http://auth.example/token"'}
    transport = httpx.MockTransport(lambda _: httpx.Response(401, headers=challenge))
    with pytest.raises(StackError, match="wants a password"):
        pin.pin(env, ["LOKI_IMAGE"], transport=transport)


@pytest.mark.parametrize(
    ("image", "registry", "repository", "tag"),
    [
        ("postgres:17", "registry-1.docker.io", "library/postgres", "17"),
        ("grafana/loki:3", "registry-1.docker.io", "grafana/loki", "3"),
        ("ghcr.io/a/b/c:v1", "ghcr.io", "a/b/c", "v1"),
        ("127.0.0.1:5000/a:v1", "127.0.0.1:5000", "a", "v1"),
        ("localhost/a:v1", "localhost", "a", "v1"),
        (f"a/b:v1@{DIGEST}", "registry-1.docker.io", "a/b", "v1"),
    ],
)
def test_a_name_is_taken_apart(image: str, registry: str, repository: str, tag: str) -> None:
    name = pin.Name.parse(image)
    assert (name.registry, name.repository, name.tag) == (registry, repository, tag)


@pytest.mark.parametrize("image", ["postgres", "127.0.0.1:5000/a", "a:1@sha256:12", "a:1@latest"])
def test_a_name_that_cannot_be_pinned_is_refused(image: str) -> None:
    with pytest.raises(StackError, match=r"write (name:tag|sha256)"):
        pin.Name.parse(image)


def test_images_by_tag_are_found() -> None:
    variables = ["LOKI_IMAGE", "POSTGRES_IMAGE", "MORE_IMAGE"]
    assert pin.unpinned(ENV, variables) == ["grafana/loki:3.7.8"]
