"""A Tempo in several processes, as plain programs on one address."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

from support import ports
from support.deployed import ROOT
from support.distributed import programs
from support.distributed.group import Program, Programs

CONFIG: Final = ROOT / "deploy" / "tempo" / "tempo.yaml"
STORES: Final = ("tempo-live-store-a", "tempo-live-store-b")
# name -> target, and more of the command line.
NAMES: Final[Mapping[str, tuple[str, ...]]] = {
    "tempo-live-store-a": ("live-store", "-live-store.instance-availability-zone=zone-a"),
    "tempo-live-store-b": ("live-store", "-live-store.instance-availability-zone=zone-b"),
    "tempo-distributor": ("distributor",),
    "tempo-block-builder": ("block-builder",),
    "tempo-query-frontend": ("query-frontend",),
    "tempo-querier": ("querier",),
    "tempo-metrics-generator": ("metrics-generator",),
    "tempo-backend-scheduler": ("backend-scheduler",),
    "tempo-backend-worker": ("backend-worker",),
}
# Sooner than deployed: a test waits for it. Then for who reads to know of a new block.
BLOCK_EVERY: Final = "5s"
LISTED_EVERY: Final = "5s"


def tempos(
    folder: Path,
    store: Mapping[str, str],
    kafka: str,
    prometheus: Sequence[str],
    names: Sequence[str] = tuple(NAMES),
) -> Programs:
    """Prepare the processes with the deployed configuration; none is started.

    store: the variables that name the object store. kafka: a broker's address. prometheus: where
    two replicas take remote write. The distributor's address is where OTLP is taken, that of the
    others where they are asked.
    """
    program = programs.built("tempo") / "tempo"
    chosen = {name: ports.free(["http", "grpc", "gossip", "otlp"]) for name in names}

    def grpc(name: str) -> str:
        return f"127.0.0.1:{chosen[name]['grpc']}" if name in chosen else "127.0.0.1:1"

    shared = {
        **store,
        "INSTANCE_ADDR": "127.0.0.1",
        "TEMPO_LIVE_STORE_A": f"127.0.0.1:{chosen[STORES[0]]['gossip']}",
        "TEMPO_LIVE_STORE_B": f"127.0.0.1:{chosen[STORES[1]]['gossip']}",
        "TEMPO_FRONTEND": grpc("tempo-query-frontend"),
        "TEMPO_SCHEDULER": grpc("tempo-backend-scheduler"),
        "TEMPO_KAFKA": kafka,
        "PROMETHEUS_1": prometheus[0],
        "PROMETHEUS_2": prometheus[1],
    }
    made: dict[str, Program] = {}
    for name in names:
        target, *flags = NAMES[name]
        of, at = chosen[name], folder / name
        at.mkdir(parents=True)
        config = at / "tempo.yaml"
        config.write_text(_adapted(at / "data", of), encoding="utf-8")
        made[name] = Program(
            name=name,
            folder=at,
            command=[
                str(program),
                f"-target={target}",
                f"-config.file={config}",
                "-config.expand-env=true",
                f"-server.http-listen-port={of['http']}",
                f"-server.grpc-listen-port={of['grpc']}",
                f"-memberlist.bind-port={of['gossip']}",
                *flags,
            ],
            environment={**shared, "INSTANCE_ID": f"{name}-0"},
            ready=f"http://127.0.0.1:{of['http']}/ready",
        )
    urls = {name: f"http://127.0.0.1:{of['http']}" for name, of in chosen.items()}
    urls |= {
        name: f"http://127.0.0.1:{of['otlp']}"
        for name, of in chosen.items()
        if name == "tempo-distributor"
    }
    return Programs(programs=made, urls=urls)


def _adapted(data: Path, of: Mapping[str, int]) -> str:
    """Return the deployed configuration with what no flag changes: addresses, paths, one period."""
    text = CONFIG.read_text(encoding="utf-8")
    for was, now in (
        ("endpoint: 0.0.0.0:4318", f"endpoint: 127.0.0.1:{of['otlp']}"),
        ("grpc_listen_address: 0.0.0.0", "grpc_listen_address: 127.0.0.1"),
        ("  trace:\n", f"  trace:\n    blocklist_poll: {LISTED_EVERY}\n"),
        ("server:\n", "server:\n  http_listen_address: 127.0.0.1\n"),
        ("memberlist:\n", f"memberlist:\n  advertise_port: {of['gossip']}\n"),
        ("path: /var/tempo/", f"path: {data}/"),
        ("consume_cycle_duration: 1m", f"consume_cycle_duration: {BLOCK_EVERY}"),
    ):
        assert was in text, was
        text = text.replace(was, now)
    # Paths that the deployed file leaves to Tempo's defaults below /var/tempo.
    return (
        text.replace(
            "live_store:\n",
            f"live_store:\n  wal: {{ path: {data}/live-store/traces }}\n"
            f"  shutdown_marker_dir: {data}/live-store/shutdown-marker\n",
        ).replace(
            "block_builder:\n",
            f"block_builder:\n  wal: {{ path: {data}/block-builder/traces }}\n",
        )
        + f"\nbackend_scheduler: {{ local_work_path: {data}/scheduler }}\n"
    )
