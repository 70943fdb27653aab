"""Pulls that something stands in the way of: a refusal, an authority of one's own, a proxy."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from glasshouse_cli import certificates
from glasshouse_cli.images.refusal import Remedies
from glasshouse_cli.images.registry import Registry
from support.registry import between, contents, daemon, server
from support.registry.between import Forwarding, Refusing
from support.registry.daemon import Engine
from support.registry.namespace import Namespace

IMAGE = "glasshouse/healthcheck"
# A name that only the proxy knows.
NAME = "registry.example"
PLAIN, TLS, GATE = 5000, 5443, 5001


@dataclass(frozen=True, kw_only=True)
class Site:
    """A network with a registry: plain, by TLS, and one that refuses what a test asks for."""

    engine: Engine
    behind_proxy: Engine
    gate: Refusing
    proxy: Forwarding
    authority: Path
    trusted: Path


@pytest.fixture(scope="module")
def site(
    registry_folder: Path, registry_storage: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Site]:
    state = tmp_path_factory.mktemp("authority")
    certificates.ensure(state, NAME)
    made = certificates.of(state)
    settings = registry_folder / "settings"
    settings.mkdir()
    files = (made.folder / "collector.pem", made.folder / "collector.key")
    with (
        Namespace(settings) as namespace,
        server.running(registry_storage, PLAIN, namespace=namespace) as plain,
        server.running(registry_storage, TLS, namespace=namespace, certificate=files),
        between.refusing(namespace, plain, GATE) as gate,
        between.forwarding(namespace, between.to_loopback({f"{NAME}:{TLS}": TLS})) as proxy,
        daemon.running(registry_folder / "plain", namespace) as engine,
        daemon.running(
            registry_folder / "proxied",
            namespace,
            options=["--bridge=none"],  # beside the other one's
            variables={"HTTPS_PROXY": proxy.address},
        ) as behind_proxy,
    ):
        yield Site(
            engine=engine,
            behind_proxy=behind_proxy,
            gate=gate,
            proxy=proxy,
            authority=made.authority,
            trusted=settings / "certs.d",
        )


@pytest.fixture(autouse=True)
def nothing_special(site: Site) -> None:
    """Each test starts with a registry that refuses nothing, and an open proxy."""
    site.gate.refused.clear()
    site.proxy.closed = False
    site.proxy.asked.clear()


def pull(
    engine: Engine, image: str, place: Path, monkeypatch: pytest.MonkeyPatch, proxy: str = ""
) -> str | None:
    """Pull as `make up` does; return the line that it says, None when the image is there."""
    monkeypatch.setenv("DOCKER_HOST", engine.address)
    registry = Registry(place / "memory", Remedies(proxy=proxy))
    if registry.pull(image, place / "log", lambda _: None, "HEALTHCHECK_IMAGE"):
        engine.docker("rmi", image)
        return None
    assert registry.refusal is not None, (place / "log").read_text()
    return registry.refusal.text


@pytest.mark.parametrize(
    ("status", "meaning"),
    [
        (401, "it wants a password: `docker login`"),
        (
            403,
            "there is none, or it wants a password: correct HEALTHCHECK_IMAGE in .env, or "
            "`docker login`",
        ),
        (404, "there is none of this name: correct HEALTHCHECK_IMAGE in .env"),
        (429, "it limits how often: `docker login`"),
        (500, "it has a fault of its own: try again later"),
        (503, "it has a fault of its own: try again later"),
    ],
)
def test_a_refusal_is_one_line_that_names_the_image(
    site: Site, status: int, meaning: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    image = f"{site.gate.name}/{IMAGE}:{contents.RELEASE}"
    assert pull(site.engine, image, tmp_path, monkeypatch) is None

    site.gate.refused[IMAGE] = status
    said = pull(site.engine, image, tmp_path, monkeypatch)

    assert said == f"the registry refuses {image}: {meaning}"
    # It did answer, so that the next image is asked for, too.
    assert not (tmp_path / "memory").exists()


def test_an_authority_of_ones_own_is_trusted_once_the_engine_has_it(
    site: Site, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # By an address that is loopback the engine would do without trust.
    image = f"{NAME}:{TLS}/{IMAGE}:{contents.RELEASE}"

    said = pull(site.behind_proxy, image, tmp_path, monkeypatch)
    assert said == (
        f"{image} cannot be pulled: the engine does not trust the registry's certificate. Give its "
        "authority to the engine's machine (docs/hosts.md)"
    )

    folder = site.trusted / f"{NAME}:{TLS}"
    folder.mkdir(parents=True)
    (folder / "ca.crt").write_bytes(site.authority.read_bytes())
    # Read at each pull: the engine is not started again.
    assert pull(site.behind_proxy, image, tmp_path, monkeypatch) is None
    assert set(site.proxy.asked) == {f"{NAME}:{TLS}"}


def test_a_proxy_that_wants_a_password_is_named(
    site: Site, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    image = f"{NAME}:{TLS}/{IMAGE}:{contents.RELEASE}"
    site.proxy.closed = True

    said = pull(site.behind_proxy, image, tmp_path, monkeypatch, site.proxy.address)

    assert said == (
        f"{image} cannot be pulled: the proxy {site.proxy.address}, which the engine uses, "
        "refuses: correct it in the engine's settings"
    )
    assert site.proxy.asked


def test_what_the_proxy_does_not_reach_is_not_reached(
    site: Site, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    image = f"elsewhere.example:{TLS}/{IMAGE}:{contents.RELEASE}"

    said = pull(site.behind_proxy, image, tmp_path, monkeypatch, site.proxy.address)

    assert said is not None
    assert said.startswith(f"{image} cannot be pulled: the proxy {site.proxy.address}")
    assert site.proxy.asked == [f"elsewhere.example:{TLS}"] * len(site.proxy.asked)
