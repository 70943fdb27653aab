"""Who provides the engine: what people start, and where they give it memory, disk, a proxy."""

from __future__ import annotations

from dataclasses import dataclass, replace

from glasshouse_cli import host
from glasshouse_cli.engine.endpoint import SYSTEM_SOCKET, Endpoint
from glasshouse_cli.engine.facts import Facts
from glasshouse_cli.host import Kind


@dataclass(frozen=True, kw_only=True)
class Provider:
    """What runs the engine. The other fields complete "do this:" in a message."""

    name: str
    start: str
    memory: str
    disk: str
    proxy: str


_FREE = "`docker system df` shows what takes it, `docker system prune` deletes what is not in use"

_SYSTEM = Provider(
    name="Docker",
    start="`sudo systemctl start docker`",
    memory="free some, or add some",
    disk=_FREE,
    proxy='"proxies" in /etc/docker/daemon.json, then `sudo systemctl restart docker`',
)
_ROOTLESS = replace(
    _SYSTEM,
    name="rootless Docker",
    start="`systemctl --user start docker`",
    proxy='"proxies" in ~/.config/docker/daemon.json, then `systemctl --user restart docker`',
)
_REMOTE = Provider(
    name="another machine's Docker",
    start="start it there",
    memory="give that machine more",
    disk=_FREE,
    proxy='"proxies" in its /etc/docker/daemon.json',
)
_DESKTOP = Provider(
    name="Docker Desktop",
    start="`open -a Docker`",
    memory="Settings > Resources > Memory limit in Docker Desktop",
    disk="Settings > Resources > Disk usage limit in Docker Desktop, or `docker system prune`",
    proxy="Settings > Resources > Proxies in Docker Desktop",
)
_DESKTOP_ON_LINUX = replace(_DESKTOP, start="`systemctl --user start docker-desktop`")
_DESKTOP_IN_WSL = replace(
    _DESKTOP,
    start="start Docker Desktop in Windows, and switch this distribution on in its Settings > "
    "Resources > WSL integration",
    memory="memory= under [wsl2] in %UserProfile%\\.wslconfig, then `wsl --shutdown` in Windows",
)
_ORBSTACK = Provider(
    name="OrbStack",
    start="`open -a OrbStack`",
    memory="`orb config set memory_mib 4096`, then start OrbStack again",
    disk="free some on this Mac: OrbStack's disk grows with it",
    proxy="`orb config set network_proxy http://…`",
)
_RANCHER = Provider(
    name="Rancher Desktop",
    start="`rdctl start`",
    memory="Preferences > Virtual Machine > Memory in Rancher Desktop",
    disk="`docker system prune`, or Troubleshooting > Factory Reset in Rancher Desktop",
    proxy="Preferences > WSL > Proxy in Rancher Desktop, or HTTPS_PROXY before `rdctl start`",
)
_PODMAN_MACHINE = Provider(
    name="Podman's machine",
    start="`podman machine start`",
    memory="`podman machine stop`, then `podman machine set --memory 4096`",
    disk="`podman machine stop`, then `podman machine set --disk-size 60`",
    proxy="HTTPS_PROXY in the shell, then `podman machine stop` and `podman machine start`",
)
_PODMAN = Provider(
    name="Podman",
    start="`sudo systemctl start podman.socket`",
    memory="free some, or add some",
    disk="`podman system df` shows what takes it, `podman system prune` deletes what is unused",
    proxy="HTTPS_PROXY under [engine] env in /etc/containers/containers.conf",
)
_PODMAN_ROOTLESS = replace(
    _PODMAN,
    name="rootless Podman",
    start="`systemctl --user start podman.socket`",
    proxy="HTTPS_PROXY under [engine] env in ~/.config/containers/containers.conf",
)
# Nothing says which one people have, and the socket that all of them make is not there.
_SOME_ON_A_MAC = Provider(
    name="Docker",
    start="`open -a Docker`, `open -a OrbStack` or `colima start`, whichever is installed",
    memory="give its virtual machine more",
    disk=_FREE,
    proxy="in the settings of what runs the engine",
)


def of(endpoint: Endpoint, facts: Facts | None = None) -> Provider:
    """Who provides the engine, by its address and, when it answers, by what it says of itself."""
    if facts is not None and (said := _by_what_it_says(endpoint, facts)):
        return said
    if endpoint.is_remote:
        return _REMOTE
    if (found := _by_address(endpoint)) is not None:
        return found
    if endpoint.setting and endpoint.address != SYSTEM_SOCKET:
        return replace(_SYSTEM, start="start it, or choose another engine")
    match host.kind():
        case Kind.MACOS:
            return _SOME_ON_A_MAC
        case Kind.WSL if not host.has_service_manager():
            return replace(_SYSTEM, start="`sudo service docker start`, or Docker Desktop")
        case _ if not host.has_service_manager():
            return replace(_SYSTEM, start="`sudo service docker start`")
        case _:
            return _SYSTEM


def install_hint() -> str:
    """What to install where there is no Docker at all."""
    match host.kind():
        case Kind.MACOS:
            return (
                "install Docker Desktop or OrbStack, or Colima (`brew install colima docker "
                "docker-compose`, then `colima start`)"
            )
        case Kind.WSL:
            return (
                "install Docker Desktop in Windows and switch this distribution on in its "
                "Settings > Resources > WSL integration, or run this as root on Debian or Ubuntu, "
                "where it installs docker.io by itself"
            )
        case _:
            return (
                "see https://docs.docker.com/engine/install/, or run this as root on Debian or "
                "Ubuntu, where it installs docker.io by itself"
            )


def _by_what_it_says(endpoint: Endpoint, facts: Facts) -> Provider | None:
    system = facts.operating_system
    if system == "Docker Desktop":
        return _desktop()
    if system == "OrbStack":
        return _ORBSTACK
    if "Rancher Desktop" in system or "rancher-desktop" in facts.name:
        return _RANCHER
    if facts.podman and not endpoint.is_remote:
        return _podman(rootless=facts.rootless)
    if facts.rootless and not endpoint.is_remote and _by_address(endpoint) is None:
        return _ROOTLESS
    return None


def _by_address(endpoint: Endpoint) -> Provider | None:
    where = f"{endpoint.address} {endpoint.socket or ''}"
    parts = endpoint.socket.parts if endpoint.socket else ()
    if ".colima" in parts or endpoint.context.startswith("colima"):
        return _colima(endpoint)
    if ".orbstack" in parts or endpoint.context == "orbstack":
        return _ORBSTACK
    if ".rd" in parts or endpoint.context == "rancher-desktop":
        return _RANCHER
    if ".lima" in parts:
        return _lima(parts[parts.index(".lima") + 1])
    if "podman" in where:
        return _podman(rootless="/run/user/" in where)
    if endpoint.context.startswith("desktop-") or ".docker" in parts:
        return _desktop()
    if "/run/user/" in where or endpoint.context == "rootless":
        return _ROOTLESS
    return None


def _desktop() -> Provider:
    match host.kind():
        case Kind.WSL:
            return _DESKTOP_IN_WSL
        case Kind.MACOS:
            return _DESKTOP
        case _:
            return _DESKTOP_ON_LINUX


def _podman(*, rootless: bool) -> Provider:
    if not host.is_linux():
        return _PODMAN_MACHINE
    return _PODMAN_ROOTLESS if rootless else _PODMAN


def _colima(endpoint: Endpoint) -> Provider:
    # The folder of the socket is the profile's name: ~/.colima/default/docker.sock.
    profile = endpoint.context.removeprefix("colima").removeprefix("-")
    if (
        not profile
        and endpoint.socket
        and endpoint.socket.parent.name not in ("default", ".colima")
    ):
        profile = endpoint.socket.parent.name
    name = f" {profile}" if profile else ""
    return Provider(
        name="Colima",
        start=f"`colima start{name}`",
        memory=f"`colima stop{name}`, then `colima start{name} --memory 4`",
        disk=f"`colima stop{name}`, then `colima start{name} --disk 60`",
        proxy=f"HTTPS_PROXY under env in `colima start{name} --edit`",
    )


def _lima(instance: str) -> Provider:
    return Provider(
        name="Lima",
        start=f"`limactl start {instance}`",
        memory=f"`limactl stop {instance}`, then `limactl edit {instance} --memory 4`",
        disk=f"`limactl stop {instance}`, then `limactl edit {instance} --disk 60`",
        proxy=f"HTTPS_PROXY under env in `limactl edit {instance}`",
    )
