"""A real API server with its etcd, on this machine alone. Without nodes: it runs no Pods."""

import contextlib
import secrets
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import httpx
import yaml
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from support import ports
from support.kubernetes import programs
from support.kubernetes.api import Api
from support.waiting import until

_ADMIN: Final = "system:masters"
_STOPPED_WITHIN_S: Final = 60


@dataclass(frozen=True, kw_only=True)
class ControlPlane:
    """Where it is, and how one gets in as who may do everything."""

    url: str
    authority: Path
    token: str
    folder: Path

    def api(self) -> Api:
        return Api(self.url, self.authority, self.token)

    @property
    def kubeconfig(self) -> Path:
        """A file by which clients such as Helm find it."""
        path = self.folder / "kubeconfig"
        cluster = {"server": self.url, "certificate-authority": str(self.authority)}
        document: dict[str, Any] = {
            "apiVersion": "v1",
            "kind": "Config",
            "current-context": "tests",
            "clusters": [{"name": "tests", "cluster": cluster}],
            "users": [{"name": "tests", "user": {"token": self.token}}],
            "contexts": [{"name": "tests", "context": {"cluster": "tests", "user": "tests"}}],
        }
        path.touch(mode=0o600)
        path.write_text(yaml.safe_dump(document), encoding="utf-8")
        return path


@contextlib.contextmanager
def running(folder: Path) -> Iterator[ControlPlane]:
    """Run both, with all that they keep in ``folder``; yield when the API server is ready."""
    built = programs.servers()
    free = ports.free(["etcd", "peer", "api"])
    etcd = f"http://127.0.0.1:{free['etcd']}"
    peer = f"http://127.0.0.1:{free['peer']}"
    token = secrets.token_hex(16)
    tokens = folder / "tokens.csv"
    tokens.touch(mode=0o600)
    tokens.write_text(f'{token},tests,tests,"{_ADMIN}"\n', encoding="utf-8")
    key = _signing_key(folder / "accounts.pem")
    with contextlib.ExitStack() as stack:
        stack.enter_context(
            _process(
                folder / "etcd.log",
                str(built["etcd"]),
                f"--data-dir={folder / 'etcd'}",
                f"--listen-client-urls={etcd}",
                f"--advertise-client-urls={etcd}",
                f"--listen-peer-urls={peer}",
                f"--initial-advertise-peer-urls={peer}",
                f"--initial-cluster=default={peer}",
                "--unsafe-no-fsync",  # of a test
            )
        )
        server = stack.enter_context(
            _process(
                folder / "apiserver.log",
                str(built["kube-apiserver"]),
                f"--etcd-servers={etcd}",
                "--bind-address=127.0.0.1",
                "--advertise-address=127.0.0.1",
                f"--secure-port={free['api']}",
                f"--cert-dir={folder / 'certificates'}",  # it makes its own
                f"--token-auth-file={tokens}",
                f"--service-account-key-file={key}",
                f"--service-account-signing-key-file={key}",
                "--service-account-issuer=https://kubernetes.default.svc",
                "--authorization-mode=Node,RBAC",
                # Nothing here makes accounts or endpoints: that is the controller manager's.
                "--disable-admission-plugins=ServiceAccount",
                "--endpoint-reconciler-type=none",
                "--service-cluster-ip-range=10.96.0.0/16",
                "--profiling=false",
                "--allow-privileged=true",  # so that Pod Security is what refuses
            )
        )
        made = ControlPlane(
            url=f"https://127.0.0.1:{free['api']}",
            authority=folder / "certificates" / "apiserver.crt",
            token=token,
            folder=folder,
        )

        def ready() -> tuple[bool | None, object]:
            if server.poll() is not None:
                log = (folder / "apiserver.log").read_text(encoding="utf-8")
                raise AssertionError(f"the API server has ended:\n{log[-4000:]}")
            if not made.authority.exists():
                return None, "no certificate yet"
            try:
                with made.api() as api:
                    answer = api.get("/readyz")
            except (httpx.HTTPError, OSError) as error:
                return None, error
            return answer.is_success or None, answer.text

        until(ready, what="the API server is ready")
        yield made


def _signing_key(path: Path) -> Path:
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    path.touch(mode=0o600)
    path.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.TraditionalOpenSSL,
            serialization.NoEncryption(),
        )
    )
    return path


@contextlib.contextmanager
def _process(log: Path, *command: str) -> Iterator[subprocess.Popen[bytes]]:
    with log.open("wb") as output:
        process = subprocess.Popen(
            command, stdout=output, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL
        )
        try:
            yield process
        finally:
            process.terminate()
            try:
                process.wait(_STOPPED_WITHIN_S)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
