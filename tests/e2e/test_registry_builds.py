"""Where Go's and Python's images can be pulled, ours are built in the engine, without a toolchain.

The engine reaches the registries of packages through a proxy only, and trusts them by the
authorities that the build is given. The Collector, which takes minutes, is built by the workflow.
"""

import shutil
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from glasshouse_cli.project import Project
from support.registry import between, checkout, contents, daemon, server, standin
from support.registry.between import Forwarding
from support.registry.checkout import Checkout
from support.registry.namespace import Namespace

REGISTRY_PORT = 5000
# Where containers of the engine find what listens beside them.
GATEWAY = "172.17.0.1"
AUTHORITIES = Path("/etc/ssl/certs/ca-certificates.crt")
BUILT_WITHIN_S = 900
# One compiled with Go, one with Python's packages.
SERVICES = {"healthcheck": "glasshouse/healthcheck", "sandbox": "glasshouse/sandbox"}


@dataclass(frozen=True, kw_only=True)
class Site:
    """A clean clone on an empty engine, and the proxy that its builds have to use."""

    clone: Checkout
    proxy: Forwarding


@pytest.fixture(scope="module")
def site(
    project: Project,
    registry_folder: Path,
    registry_storage: Path,
    registry_tags: dict[str, str],
) -> Iterator[Site]:
    if shutil.which("go") is None:
        pytest.skip("Go is not installed: there is nothing to make the stand-in for its image of")
    name = f"library/{project.settings['GO_IMAGE']}"
    contents.fill(registry_storage, {name: standin.golang(registry_tags["PYTHON_IMAGE"])})
    settings = registry_folder / "settings"
    settings.mkdir()
    with (
        Namespace(settings) as namespace,
        server.running(registry_storage, REGISTRY_PORT, namespace=namespace) as registry,
        daemon.running(
            registry_folder / "engine",
            namespace,
            mirror=f"http://{registry}",
            options=[f"--bip={GATEWAY}/16"],
        ) as engine,
        between.forwarding(namespace, between.to_outside, host=GATEWAY) as proxy,
    ):
        clone = checkout.cloned(project.root, registry_folder / "build", engine, programs=[])
        yield Site(clone=clone, proxy=proxy)


def build(site: Site) -> dict[str, str]:
    """Build the services; return the id of each one's image."""
    arguments = [f"--build-arg=HTTPS_PROXY={site.proxy.address}"]
    ran = site.clone.run(
        *("docker", "compose", "--progress", "plain", "build", *arguments, *SERVICES),
        within=BUILT_WITHIN_S,
        BUILD_AUTHORITY_FILE=str(AUTHORITIES),
    )
    assert ran.returncode == 0, (ran.stdout + ran.stderr)[-4000:]
    inspect = ("image", "inspect", "--format", "{{.Id}}")
    docker = site.clone.engine.docker
    return {name: docker(*inspect, image).strip() for name, image in SERVICES.items()}


def test_a_clean_clone_builds_through_a_proxy_with_an_authority_of_its_own(
    site: Site, remark: Callable[[str, str], None], record_property: Callable[[str, object], None]
) -> None:
    if not AUTHORITIES.is_file():
        pytest.skip(f"{AUTHORITIES} is missing: install ca-certificates")
    began = time.monotonic()
    first = build(site)
    between_times = time.monotonic()
    again = build(site)
    seconds = {
        "docker compose build, empty engine": between_times - began,
        "docker compose build, nothing changed": time.monotonic() - between_times,
    }
    for what, value in seconds.items():
        record_property(what, f"{value:.1f}")
        remark("an empty engine", f"{what} ({', '.join(SERVICES)}): {value:.1f} s")

    assert again == first
    # By TLS, and by nothing else.
    assert site.proxy.asked
    assert {name.rpartition(":")[2] for name in site.proxy.asked} == {"443"}
    docker = site.clone.engine.docker
    imported = ("python3", "-c", "import glasshouse_fakes; print(glasshouse_fakes.__name__)")
    found = docker("run", "--rm", "--network=none", SERVICES["sandbox"], *imported)
    assert found.strip() == "glasshouse_fakes"
    alive = ("-file=/etc/passwd", "-age=1000000h")
    docker("run", "--rm", "--network=none", SERVICES["healthcheck"], *alive)
