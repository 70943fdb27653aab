"""Bills of materials: what an image's files say, as valid CycloneDX."""

import io
import json
import shutil
import subprocess
import tarfile
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pytest
from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator

from glasshouse_cli.supply import sbom
from glasshouse_cli.supply.parts import Part

STATUS = """\
Package: bash
Status: install ok installed
Architecture: amd64
Version: 5.2.37-2+b10
Description: shell
 with more

Package: gone
Status: deinstall ok config-files
Architecture: amd64
Version: 1
"""
COPYRIGHT = "Format: x\n\nFiles: *\nLicense: GPL-3+\n\nFiles: lib\nLicense: Expat\n some text\n"
PROGRAM = """\
/usr/bin/otelcol: go1.26.8
\tpath\tglasshouse.example/collector/distribution
\tmod\tglasshouse.example/collector/distribution\t(devel)\t
\tdep\texample.org/old\tv1.0.0
\t=>\texample.org/new\tv2.0.0\th1:fharf/WhbRAVZ1du0QL7roNFxZ6T/sWr+4Ni617bwSI=
\tdep\tglasshouse.example/collector/admission\tv0.0.0
\t=>\t../admission\t(devel)\t
\tdep\texample.org/last\tv3.0.0\th1:fharf/WhbRAVZ1du0QL7roNFxZ6T/sWr+4Ni617bwSI=
\tbuild\t-compiler=gc
"""


def archive(content: dict[str, bytes]) -> tarfile.TarFile:
    memory = io.BytesIO()
    with tarfile.open(fileobj=memory, mode="w") as tar:
        for name, data in content.items():
            member = tarfile.TarInfo(name)
            member.size, member.mode = len(data), 0o755
            tar.addfile(member, io.BytesIO(data))
    memory.seek(0)
    return tarfile.open(fileobj=memory, mode="r|")


def metadata(name: str, at: str, licence: str = "") -> bytes:
    line = f"License-Expression: {licence}\n" if licence else ""
    return f"Metadata-Version: 2.4\nName: {name}\nVersion: {at}\n{line}\nText: no field\n".encode()


def contents() -> sbom.Contents:
    return sbom.read_archive(
        archive(
            {
                "etc/os-release": b'NAME="Debian"\nVERSION_ID="13"\n',
                "var/lib/dpkg/status": STATUS.encode(),
                "usr/share/doc/bash/copyright": COPYRIGHT.encode(),
                "opt/venv/lib/x_y-1.dist-info/METADATA": metadata("X_y", "1", "MIT"),
                "opt/venv/lib/unsaid-2.dist-info/METADATA": metadata("unsaid", "2"),
                # The image says no licence, the same version is installed here.
                "opt/venv/lib/httpx.dist-info/METADATA": metadata("httpx", version("httpx")),
                "opt/venv/lib/o.dist-info/METADATA": metadata("glasshouse-backend", "0.1.0"),
            }
        )
    )


def fault(document: dict[str, Any]) -> object:
    """What CycloneDX's own validator has against it, None if nothing."""
    return JsonStrictValidator(SchemaVersion.V1_6).validate_str(json.dumps(document))


def test_packages_of_an_image_are_found() -> None:
    found = {part.purl: part.licence for part in contents().parts}
    assert found == {
        "pkg:deb/debian/bash@5.2.37-2%2Bb10?arch=amd64&distro=debian-13": "Expat; GPL-3+",
        f"pkg:pypi/httpx@{version('httpx')}": "BSD-3-Clause",
        "pkg:pypi/unsaid@2": "",
        "pkg:pypi/x-y@1": "MIT",
    }
    assert contents().ours == (("glasshouse-backend", "0.1.0"),)


def test_the_document_is_valid_cyclonedx() -> None:
    document = sbom.document(
        "backend", "glasshouse/backend:4b4f", f"sha256:{'a1' * 32}", contents()
    )
    assert fault(document) is None
    assert document["metadata"]["component"] == {
        "type": "container",
        "bom-ref": "image:backend",
        "name": "glasshouse/backend",
        "version": "4b4f",
        "hashes": [{"alg": "SHA-256", "content": "a1" * 32}],
    }
    bash = next(one for one in document["components"] if one["name"] == "bash")
    assert bash["licenses"] == [{"license": {"name": "Expat"}}, {"license": {"name": "GPL-3+"}}]
    refs = [one["bom-ref"] for one in document["components"]]
    assert len(set(refs)) == len(refs) == 5
    assert document["dependencies"] == [{"ref": "image:backend", "dependsOn": refs}]


def test_what_is_no_cyclonedx_is_found() -> None:
    document = sbom.document("a", "a:1", f"sha256:{'a1' * 32}", contents())
    document["components"][0]["type"] = "package"
    assert fault(document) is not None


def test_the_same_content_has_the_same_serial_number() -> None:
    numbers = {
        sbom.document("a", "a:1", f"sha256:{digits * 32}", contents())["serialNumber"]
        for digits in ("a1", "a1", "b2")
    }
    assert len(numbers) == 2


def test_modules_of_a_go_program() -> None:
    h1 = "h1:fharf/WhbRAVZ1du0QL7roNFxZ6T/sWr+4Ni617bwSI="
    assert list(sbom.modules(PROGRAM)) == [
        ("go", "stdlib", "1.26.8", ""),
        ("mod", "glasshouse.example/collector/distribution", "(devel)", ""),
        ("dep", "example.org/new", "v2.0.0", h1),
        ("dep", "glasshouse.example/collector/admission", "v0.0.0", ""),
        ("dep", "example.org/last", "v3.0.0", h1),
    ]


@pytest.mark.skipif(shutil.which("go") is None, reason="Go compiles the program")
def test_a_real_go_program_is_read(tmp_path: Path) -> None:
    module = tmp_path / "program"
    module.mkdir()
    (module / "go.mod").write_text("module example.org/program\n\ngo 1.26\n")
    (module / "main.go").write_text('package main\n\nfunc main() { println("x") }\n')
    subprocess.run(["go", "build", "-o", "program", "."], cwd=module, check=True, timeout=300)
    program = (module / "program").read_bytes()
    found = sbom.read_archive(archive({"usr/bin/program": program, "usr/bin/other": b"x" * 2**20}))
    names = {(part.kind, part.name) for part in found.parts}
    assert names == {("golang", "stdlib"), ("golang", "example.org/program")}


def test_digests_of_go_modules_are_those_of_go_sum() -> None:
    part = Part(kind="golang", name="example.org/a", version="v1", sha256=("ab" * 32,))
    listed = sbom.Contents(parts=(part,), ours=())
    document = sbom.document("a", "a:1", f"sha256:{'a1' * 32}", listed)
    assert fault(document) is None
    assert document["components"][0]["hashes"] == [{"alg": "SHA-256", "content": "ab" * 32}]
