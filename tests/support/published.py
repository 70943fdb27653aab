"""Ports of containers that testcontainers starts, on loopback alone."""

from testcontainers.core.container import DockerContainer

from support import ports


def on_loopback(container: DockerContainer, port: int) -> int:
    """Publish a container's port once it starts; return which port of this machine that is.

    Left to itself it is published on all addresses, where an engine gives up after ten ports in a
    row that are taken on loopback.
    """
    [own] = ports.free([f"{container.image} {port}"]).values()
    container.ports[str(port)] = ("127.0.0.1", own)  # pyright: ignore[reportArgumentType]  # as the engine's client takes it
    return own
