"""An S3 of files in a folder, as a plain program."""

from dataclasses import dataclass
from pathlib import Path
from typing import Final

from support import ports
from support.distributed import programs
from support.distributed.group import Program

BUCKETS: Final = ("loki", "tempo", "thanos")
ACCESS: Final = "glasshouse-test-access"
SECRET: Final = "glasshouse-test-secret-0123456789"


def key_file(folder: Path, *, secret: str = SECRET) -> Path:
    """Write a key as Loki, Tempo and Thanos read it: AWS' own form."""
    folder.mkdir(parents=True, exist_ok=True)
    file = folder / "s3_credentials"
    lines = ("[default]", f"aws_access_key_id = {ACCESS}", f"aws_secret_access_key = {secret}")
    file.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return file


@dataclass(frozen=True, kw_only=True)
class ObjectStore:
    """The program, and what its clients need of it."""

    program: Program
    address: str
    key: Path

    @property
    def environment(self) -> dict[str, str]:
        """Variables of what keeps objects here."""
        return {
            "S3_ENDPOINT": self.address,
            "S3_INSECURE": "true",
            "AWS_SHARED_CREDENTIALS_FILE": str(self.key),
            # Nobody else's: a machine in a cloud has a right of its own.
            "AWS_EC2_METADATA_DISABLED": "true",
        }

    def objects(self, bucket: str) -> list[str]:
        """Return the names of what a bucket holds."""
        folder = self.program.data / bucket
        return sorted(
            file.relative_to(folder).as_posix()
            for file in folder.rglob("*")
            if file.is_file() and ".sgwtmp" not in file.parts
        )


def object_store(folder: Path, buckets: tuple[str, ...] = BUCKETS) -> ObjectStore:
    """Prepare an S3 with these buckets; it is not started."""
    address = f"127.0.0.1:{ports.free(['s3'])['s3']}"
    key = key_file(folder)
    where = folder / "data"
    program = Program(
        name="s3",
        folder=folder,
        command=[
            str(programs.built("versitygw") / "s3"),
            f"-key={key}",
            f"-listen={address}",
            str(where),
            *buckets,
        ],
        ready=f"http://{address}/",
        accepts=(200, 403),
    )
    return ObjectStore(program=program, address=address, key=key)
