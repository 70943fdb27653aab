"""What all containers have in common: image, user, labels, ports, readiness."""

import contextlib
import os
import re
import secrets
import socket
import threading
import urllib.error
import urllib.request
from collections.abc import Generator, Mapping
from importlib.resources import files
from pathlib import Path
from types import MappingProxyType
from typing import Any, ClassVar, Final, Self

import docker.errors
from testcontainers.core.config import ConnectionMode, testcontainers_config
from testcontainers.core.container import DockerContainer
from testcontainers.core.network import Network

from glasshouse.errors import GlasshouseError
from glasshouse.testing.containers import ports
from glasshouse.testing.containers.ports import LOOPBACK
from glasshouse.testing.polling import until

LABEL: Final = "dev.glasshouse.part"
LABELS: Final[Mapping[str, str]] = MappingProxyType({LABEL: "testing"})
READY_S: Final = 120.0
# Nobody on the machine.
_USER: Final = "10001:10001"
_OK: Final = 200
_SHOWN: Final = 2000
# Somebody may take a port between our look and the engine's.
_TRIES: Final = 5
_reaper: Final = threading.Lock()


class ContainerError(GlasshouseError):
    """A container cannot be started; the message says what to do."""


class Container(DockerContainer):
    """One container of the stack, without root and with its ports on loopback.

    image: by default what the variable of the class names, else its default.
    network: shared with other containers, which reach this one by its `alias`; or the name of one
        that is there already.
    labels: more labels, or another value for ours. user: numbers of user and group.
    """

    # Environment variable and default of the image, name in a network, ports, and the port and path
    # that answer 200 when it is ready.
    variable: ClassVar[str]
    default: ClassVar[str]
    alias: ClassVar[str]
    published: ClassVar[tuple[int, ...]]
    ready: ClassVar[tuple[int, str]]

    def __init__(
        self,
        image: str | None = None,
        *,
        network: Network | str | None = None,
        labels: Mapping[str, str] | None = None,
        user: str = _USER,
        ready_s: float = READY_S,
    ) -> None:
        self._ready_s = ready_s
        labelled = {**LABELS, **(labels or {})}
        try:
            super().__init__(
                image or os.environ.get(self.variable) or self.default,
                user=user,
                labels=labelled,
                cap_drop=["ALL"],
                security_opt=["no-new-privileges:true"],
            )
            self._here = self._is_here()
        except docker.errors.DockerException as error:
            raise _no_engine(error) from None
        # As the engine lists it.
        self.with_name(f"glasshouse-{labelled[LABEL]}-{self.alias}-{secrets.token_hex(4)}")
        if isinstance(network, str):
            self._kwargs["network"] = network
        elif network is not None:
            self.with_network(network).with_network_aliases(self.alias)
        self._publish()

    def start(self) -> Self:
        """Start it and wait until it is ready.

        Raises:
            ContainerError: the engine does not answer, or has no such image.
            AssertionError: it is not ready in time; shows what it wrote last.
        """
        self.launch()
        try:
            self.wait_ready()
        except BaseException:
            self.stop()
            raise
        return self

    def launch(self) -> None:
        """Start it without waiting."""
        for left in reversed(range(_TRIES)):
            try:
                with _without_reaper():
                    super().start()
            except docker.errors.ImageNotFound:
                raise self._no_image("the engine does not have it") from None
            except docker.errors.APIError as error:
                if self._container is None:
                    raise self._no_image(str(error.explanation)) from None
                Container.stop(self)
                self._container = None
                if not left or not ports.were_taken(str(error.explanation)):
                    raise ContainerError(f"{self.image}: {error.explanation}") from None
                self._publish()
            except docker.errors.DockerException as error:
                raise _no_engine(error) from None
            else:
                return

    def stop(self, force: bool = True, delete_volume: bool = True) -> None:
        """Delete it, with all that it holds. Safe to call twice."""
        with contextlib.suppress(docker.errors.NotFound):
            super().stop(force, delete_volume)

    def wait_ready(self) -> None:
        """Return when it answers; fail with what it wrote last."""
        port, path = self.ready

        def probe() -> tuple[bool | None, object]:
            self.reload()
            if self.status in ("exited", "dead"):
                raise ContainerError(f"{self.image} has ended: {self.written()[-_SHOWN:]}")
            try:
                answered = _ask(self.url(port) + path)
            except (OSError, ValueError) as error:
                return None, (repr(error), self.written()[-_SHOWN:])
            return (True if answered == _OK else None), answered

        until(probe, what=f"{self.image} is ready", deadline_s=self._ready_s)

    def url(self, port: int) -> str:
        """Return the address on this machine of a port that is published."""
        host = LOOPBACK if self._here else self.get_container_host_ip()
        client = self.get_docker_client()
        if client.get_connection_mode().use_mapped_port:
            # Not get_exposed_port, which waits until a container that is paused goes on.
            port = int(client.port(self.get_container_id(), port))
        return f"http://{host}:{port}"

    def written(self) -> str:
        """Return all that it has written so far, as text."""
        return b"".join(self.get_logs()).decode(errors="replace")

    def halt(self) -> None:
        """Stop its program; what it holds stays, and `get_wrapped_container` can start it again."""
        self.get_wrapped_container().stop(timeout=1)

    def _publish(self) -> None:
        for port in self.published:
            try:
                # Elsewhere the engine's own loopback is out of reach, and it knows what is free.
                bound = (LOOPBACK, ports.free()) if self._here else None
            except OSError as error:
                raise ContainerError(f"{self.image}: {error}: end what listens there") from None
            self.ports[str(port)] = bound  # pyright: ignore[reportArgumentType]  # as the engine's client takes it

    def _is_here(self) -> bool:
        """Return whether the engine publishes ports on this machine's loopback."""
        client = self.get_docker_client()
        if client.get_connection_mode() == ConnectionMode.docker_host:
            return client.host() in ("localhost", LOOPBACK)
        # In a container: of the machine around it, or with an engine of its own.
        bridge: Any = client.client.networks.get("bridge")  # pyright: ignore[reportUnknownMemberType]  # its client is untyped
        for network in bridge.attrs["IPAM"]["Config"] or ():
            with contextlib.suppress(OSError), socket.socket() as own:
                own.bind((network.get("Gateway", ""), 0))
                return True
        return False

    def _no_image(self, why: str) -> ContainerError:
        return ContainerError(
            f"{self.image}: {' '.join(why.split())}. Set {self.variable}, or pass image=…, to one"
            " that the engine has or can pull"
        )


def packaged(name: str) -> str:
    """Return a configuration file that comes with this package."""
    return (files("glasshouse.testing.containers") / "files" / name).read_text(encoding="utf-8")


def text_of(content: str | Path) -> bytes:
    """Return a file's content: of a path, or as it is given."""
    return content.read_bytes() if isinstance(content, Path) else content.encode()


def new_network(labels: Mapping[str, str] | None = None) -> Network:
    """Return a network that is found by the same labels; a context manager makes it."""
    try:
        return Network(docker_network_kw={"labels": {**LABELS, **(labels or {})}})
    except docker.errors.DockerException as error:
        raise _no_engine(error) from None


def _no_engine(error: Exception) -> ContainerError:
    why = re.sub(r"\s+", " ", str(error))[:200]
    return ContainerError(f"no Docker engine answers: start it, or set DOCKER_HOST ({why})")


def _ask(url: str) -> int:
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with opener.open(url, timeout=10) as answer:
            return answer.status
    except urllib.error.HTTPError as error:
        with error:
            return error.code


@contextlib.contextmanager
def _without_reaper() -> Generator[None]:
    """Start no container that deletes others: its image cannot always be had.

    For our own only; what else uses testcontainers keeps its setting.
    """
    settings: Any = testcontainers_config
    with _reaper:
        before = settings.ryuk_disabled
        settings.ryuk_disabled = True
        try:
            yield
        finally:
            settings.ryuk_disabled = before
