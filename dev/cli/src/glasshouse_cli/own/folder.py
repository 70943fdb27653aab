"""Where the user's own files are, and what of them is read."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from glasshouse_cli import host, ownership
from glasshouse_cli.engine.facts import Facts
from glasshouse_cli.errors import StackError
from glasshouse_cli.project import Project
from glasshouse_cli.telemetry.document import Place

VARIABLE: Final = "GLASSHOUSE_OWN"
DEFAULT: Final = "./own"
# What is read of it, and how the names of these files end.
PARTS: Final[Mapping[str, str]] = {
    "telemetry": ".yaml",
    "objectives": ".yaml",
    "rules": ".yaml",
    "tests": ".yaml",
    "runbooks": ".md",
    "dashboards": ".json",
    "collector": ".yaml",
}
# Of these, what containers read only as they start; Grafana looks again by itself.
READ_AT_START: Final = ("collector", "rules")
# Names of metrics that nothing here defines, one a line: those that services measure themselves.
METRICS: Final = "metrics.txt"


@dataclass(frozen=True, kw_only=True)
class Own:
    """The folder. root and prefix: where a file's name begins, for reading and for people."""

    folder: Path
    root: Path
    prefix: str

    def files(self, part: str) -> list[Path]:
        """Return the files of a part that are read, by name."""
        found = (self.folder / part).glob(f"*{PARTS[part]}")
        return sorted(path for path in found if path.is_file() and _counts(path))

    def others(self, part: str) -> list[Path]:
        """Return what lies in the folder of a part and is not read."""
        folder = self.folder / part
        read = set(self.files(part))
        found = folder.iterdir() if folder.is_dir() else ()
        return sorted(path for path in found if path not in read and _counts(path))

    def name(self, path: Path) -> str:
        """Return a file's name for people, who start from the checkout."""
        return f"{self.prefix}/{path.relative_to(self.folder)}"

    def place(self, path: Path, line: int = 1) -> Place:
        return Place(file=self.name(path), line=line)

    def text(self, path: Path) -> str:
        """Return what is in a file. Raises StackError when it is no text."""
        try:
            return path.read_text(encoding="utf-8")
        except UnicodeDecodeError as error:
            raise self.place(path).fault("is no UTF-8: save it as UTF-8") from error
        except OSError as error:
            raise self.place(path).fault(f"cannot be read: {error.strerror}") from error

    def let_containers_read(self, facts: Facts) -> None:
        """Let the containers read what they are given of it, where their user is another.

        Nothing else: what lies beside the parts may be a secret. Raises StackError when that is
        not allowed.
        """
        if host.is_root() or facts.rootless or facts.remaps_users:
            ownership.let_all_read(self.folder / part for part in PARTS)
            ownership.let_enter(self.folder)

    @property
    def is_empty(self) -> bool:
        """Whether nothing in it is read."""
        return not any(self.files(part) or self.others(part) for part in PARTS)


def of(checkout: Project, folder: Path | None = None) -> Own:
    """Return the folder that is named, else the one that GLASSHOUSE_OWN names.

    Raises StackError when it cannot be mounted, or one that was chosen is not there.
    """
    path = chosen(checkout) if folder is None else folder
    path = path.resolve()
    if ":" in str(path):
        raise StackError(f"{path}: Docker mounts no path with a colon: rename the folder")
    if path.exists() and not path.is_dir():
        raise StackError(f"{path} is no folder: name another one in {VARIABLE}")
    default = (checkout.root / DEFAULT).resolve()
    if not path.exists() and (folder is not None or path != default):
        what = f"{VARIABLE} names {path}, which" if folder is None else str(path)
        raise StackError(f"{what} is not there: `glasshouse init {path}` makes it")
    return at(checkout, path)


def chosen(checkout: Project) -> Path:
    """Return the folder that GLASSHOUSE_OWN names. Raises StackError when it names none."""
    written = checkout.settings.get(VARIABLE) or DEFAULT
    if not written.startswith((".", "/", "~")):
        # Compose would take it for the name of a volume.
        raise StackError(f"{VARIABLE} must be a path that begins with ./ or /, such as ./{written}")
    return checkout.root / Path(written).expanduser()


def at(checkout: Project, path: Path) -> Own:
    """Return a folder that need not be there yet."""
    path = path.resolve()
    root = checkout.root.resolve()
    if path.is_relative_to(root) and path != root:
        return Own(folder=path, root=root, prefix=str(path.relative_to(root)))
    return Own(folder=path, root=Path("/"), prefix=str(path))


def _counts(path: Path) -> bool:
    return not path.name.startswith(".") and path.name != "README.md"
