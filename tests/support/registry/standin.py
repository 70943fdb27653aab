"""Stand-ins for official images that cannot be built here, or are not built whole."""

import io
import subprocess
import tarfile
from collections.abc import Mapping
from pathlib import Path

_ASKED_WITHIN_S = 60
_BUILT_WITHIN_S = 300
_GRAFANA = """\
FROM {base}
CMD ["python3", "-c", "\\
from http.server import *\\n\\
class Health(BaseHTTPRequestHandler):\\n\\
    def do_GET(self):\\n\\
        self.send_response(200 if self.path == '/api/health' else 404)\\n\\
        self.end_headers()\\n\\
        self.wfile.write(b'not Grafana: a stand-in of a test')\\n\\
HTTPServer(('', 3000), Health).serve_forever()"]
"""
_GO = """\
FROM {base}
ADD go /usr/local/go
ENV PATH=/usr/local/go/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin \\
    GOTOOLCHAIN=local
"""
_PYTHON = """\
FROM {base}
ADD pip /usr/local/lib/python3.13/dist-packages/pip
"""
# Of Go's folder, what no build reads.
_LEFT_OUT = frozenset({"api", "doc", "misc", "test"})


def grafana(python: str) -> str:
    """Build what answers Grafana's health check, and nothing else, from the image `python`."""
    return _build("grafana", python, _GRAFANA, {})


def golang(python: str) -> str:
    """Build Go's image: this machine's toolchain, in Debian."""
    asked = subprocess.run(
        ["go", "env", "GOROOT"], capture_output=True, check=True, text=True, timeout=_ASKED_WITHIN_S
    )
    root = Path(asked.stdout.strip()).resolve()
    kept = {
        f"go/{entry.name}": entry for entry in sorted(root.iterdir()) if entry.name not in _LEFT_OUT
    }
    version = (root / "VERSION").read_text(encoding="ascii").split()[0]
    return _build(f"golang-{version}", python, _GO, kept)


def python(ours: str, environment: Path) -> str:
    """Build Python's image: ours has no pip, so it gets that of a virtual environment."""
    [pip] = environment.glob("lib/python3*/site-packages/pip")
    return _build("python", ours, _PYTHON, {"pip": pip})


def _build(what: str, base: str, recipe: str, files: Mapping[str, Path]) -> str:
    name = f"glasshouse/stand-in-{what}:{base.rpartition(':')[2]}"
    there = subprocess.run(
        ["docker", "image", "inspect", name],
        capture_output=True,
        timeout=_ASKED_WITHIN_S,
        check=False,
    )
    if there.returncode == 0:
        return name
    # The classic builder is the one that every engine has.
    with subprocess.Popen(
        ["docker", "build", "--quiet", "--tag", name, "-"],
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    ) as process:
        assert process.stdin is not None
        with tarfile.open(fileobj=process.stdin, mode="w|") as context:
            text = recipe.format(base=base).encode()
            described = tarfile.TarInfo("Dockerfile")
            described.size = len(text)
            context.addfile(described, io.BytesIO(text))
            for member, path in files.items():
                context.add(path, member)
        process.stdin.close()
        assert process.wait(_BUILT_WITHIN_S) == 0, name
    return name
