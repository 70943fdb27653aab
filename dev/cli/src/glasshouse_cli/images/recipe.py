"""What `dev/images/<name>/image.toml` says, and the tag that follows from its content."""

from __future__ import annotations

import hashlib
import tomllib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from glasshouse_cli.errors import StackError

FOLDER = Path("dev", "images")
BUILDERS = ("go", "debian", "java", "python", "none")
# Raise it when a builder starts to make something else of the same recipe.
_FORMAT = "1"
_DIGITS = 12
_IGNORED_FOLDERS = frozenset(
    {"__pycache__", ".pytest_cache", ".ruff_cache", ".venv", "dist", "build", "testdata"}
)
_IGNORED_SUFFIXES = (".pyc", ".pyo", ".md", "_test.go", ".swp", "~")


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """How one image is made.

    variable: its name in `.env`, None for what is no image. builder: one of BUILDERS.
    upstream: whether the name in `.env` is somebody's published image. base: the variable
    of the image it starts from. stage: whether it is there to build others in, and nothing
    starts it. options: the builder's own section.
    """

    name: str
    root: Path
    variable: str | None
    builder: str
    upstream: bool
    version: str
    base: str | None
    stage: bool
    inputs: tuple[str, ...]
    options: Mapping[str, Any]

    @property
    def folder(self) -> Path:
        return self.root / FOLDER / self.name

    def tag(self, base_tag: str = "") -> str:
        """The image's name: it changes when, and only when, the content does."""
        return f"glasshouse/{self.name}:{self.digest(base_tag)}"

    def digest(self, base_tag: str = "") -> str:
        """Twelve hexadecimal digits over the recipe, its inputs and the base image's tag."""
        state = hashlib.sha256(f"{_FORMAT}\0{base_tag}\0".encode())
        for path in sorted(set(self._files())):
            content = hashlib.sha256(path.read_bytes()).hexdigest()
            runs = "x" if path.stat().st_mode & 0o100 else "-"
            state.update(f"{path.relative_to(self.root)}\0{runs}\0{content}\n".encode())
        return state.hexdigest()[:_DIGITS]

    def _files(self) -> Iterator[Path]:
        yield from _below(self.folder)
        for pattern in self.inputs:
            # An input may be missing: components are filled in one after the other.
            for path in self.root.glob(pattern):
                yield from _below(path)


def load(root: Path, name: str) -> Recipe:
    """Read one recipe. Raises StackError naming the file and key that are wrong."""
    file = root / FOLDER / name / "image.toml"
    try:
        data = tomllib.loads(file.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise StackError(f"no image called {name}: see `glasshouse images --help`") from error
    except tomllib.TOMLDecodeError as error:
        raise StackError(f"{file}: {error}") from error
    builder = data.get("builder")
    if builder not in BUILDERS:
        raise StackError(f"{file}: builder must be one of {', '.join(BUILDERS)}")
    return Recipe(
        name=name,
        root=root,
        variable=data.get("variable"),
        builder=builder,
        upstream=data.get("upstream", True),
        version=str(data.get("version", "")),
        base=data.get("base"),
        stage=data.get("stage", False),
        inputs=tuple(data.get("inputs", ())),
        options=data.get(builder, {}),
    )


def load_all(root: Path) -> list[Recipe]:
    """Every image recipe, a base before what is built on it."""
    folders = sorted(file.parent.name for file in (root / FOLDER).glob("*/image.toml"))
    recipes = [recipe for name in folders if (recipe := load(root, name)).variable]
    return sorted(recipes, key=lambda recipe: (recipe.base is not None, recipe.name))


def select(recipes: Iterable[Recipe], names: Iterable[str]) -> list[Recipe]:
    """The recipes called `names` (folder or variable), with their bases.

    Without names all but those that others are built in.

    Raises StackError for an unknown name.
    """
    recipes = list(recipes)
    wanted = set(names)
    if not wanted:
        return [recipe for recipe in recipes if not recipe.stage]
    known = {key for recipe in recipes for key in (recipe.name, recipe.variable)}
    if unknown := sorted(wanted - known):
        choice = ", ".join(recipe.name for recipe in recipes)
        raise StackError(f"no image called {unknown[0]}: choose from {choice}")
    chosen = [recipe for recipe in recipes if {recipe.name, recipe.variable} & wanted]
    bases = {recipe.base for recipe in chosen}
    return [recipe for recipe in recipes if recipe in chosen or recipe.variable in bases]


def _below(path: Path) -> Iterator[Path]:
    if path.is_file():
        if not path.name.endswith(_IGNORED_SUFFIXES):
            yield path
    elif path.is_dir():
        for child in path.iterdir():
            if child.name not in _IGNORED_FOLDERS and not child.name.endswith(".egg-info"):
                yield from _below(child)
