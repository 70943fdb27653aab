"""Lokis that share the work, as plain programs on one address."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

from support import ports
from support.deployed import ROOT
from support.distributed import programs
from support.distributed.group import Program, Programs

CONFIG: Final = ROOT / "deploy" / "loki" / "loki.yaml"
NAMES: Final = ("loki-1", "loki-2", "loki-3")


def lokis(
    folder: Path,
    store: Mapping[str, str],
    names: Sequence[str] = NAMES,
    *,
    beside: Programs | None = None,
    flags: Sequence[str] = (),
) -> Programs:
    """Prepare Lokis with the deployed configuration; none is started.

    store: the variables that name the object store. beside: others that these join.
    flags: more of the command line.
    """
    program = programs.built("loki") / "loki"
    chosen = {name: ports.free(["http", "grpc", "gossip"]) for name in names}
    members = [f"127.0.0.1:{of['gossip']}" for of in chosen.values()]
    if beside:
        members += [one.environment["SELF"] for one in beside.programs.values()]
    made: dict[str, Program] = {}
    for name, of in chosen.items():
        at = folder / name
        grpc = f"127.0.0.1:{of['grpc']}"
        made[name] = Program(
            name=name,
            folder=at,
            command=[
                str(program),
                "-target=all",
                f"-config.file={CONFIG}",
                "-config.expand-env=true",
                "-server.http-listen-address=127.0.0.1",
                f"-server.http-listen-port={of['http']}",
                "-server.grpc-listen-address=127.0.0.1",
                f"-server.grpc-listen-port={of['grpc']}",
                f"-memberlist.bind-port={of['gossip']}",
                f"-memberlist.advertise-port={of['gossip']}",
                f"-frontend.scheduler-address={grpc}",
                f"-querier.scheduler-address={grpc}",
                *_disks(at / "data"),
                *flags,
            ],
            environment={
                **store,
                "INSTANCE_ID": name,
                "INSTANCE_ADDR": "127.0.0.1",
                "LOKI_MEMBERS": ",".join(members),
                "SELF": f"127.0.0.1:{of['gossip']}",
            },
            ready=f"http://127.0.0.1:{of['http']}/ready",
        )
    urls = {name: f"http://127.0.0.1:{of['http']}" for name, of in chosen.items()}
    return Programs(programs=made, urls=urls)


def _disks(data: Path) -> list[str]:
    """Return the flags that lead what the file keeps below /var/lib/loki to another folder."""
    return [
        f"-common.path-prefix={data}",
        f"-ingester.wal-dir={data / 'wal'}",
        f"-compactor.working-directory={data / 'compactor'}",
    ]
