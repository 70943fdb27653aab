"""Gets each image: present, else pulled, else built from its recipe."""

from __future__ import annotations

import fcntl
import json
import re
import shutil
import tempfile
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from dotenv import dotenv_values

from glasshouse_cli import engine, host, ownership, project
from glasshouse_cli.console import Step, Terminal
from glasshouse_cli.engine import Facts, endpoint, facts, provider, proxies
from glasshouse_cli.errors import StackError
from glasshouse_cli.files import write_variables
from glasshouse_cli.images import build_debian, build_docker, build_go, build_java, build_python
from glasshouse_cli.images import recipe as recipes
from glasshouse_cli.images.recipe import Recipe
from glasshouse_cli.images.refusal import Remedies
from glasshouse_cli.images.registry import Registry
from glasshouse_cli.process import run_logged
from glasshouse_cli.project import Project

_STAGE = {
    "go": build_go.stage,
    "debian": build_debian.stage,
    "java": build_java.stage,
    "python": build_python.stage,
}
_DOCKER_BUILD_TIMEOUT_S = 900.0
# The image that has Go.
_GO = "GO_IMAGE"
_BUILD_DISK_BYTES = 15 * 1024**3
_LOCK_WAIT_S = 3600.0
# What Dockerfiles copy.
_KEPT = ("rootfs", "rootfs.tar", "libs", "deps", "own", "bin", "Dockerfile", "entrypoint.sh")


@dataclass(frozen=True, kw_only=True)
class Image:
    """One image and how it was obtained: "present", "pulled", "built" or "left out"."""

    name: str
    variable: str
    tag: str
    how: str
    seconds: float
    size_bytes: int


def resolve(
    names: Iterable[str] = (),
    *,
    checkout: Project | None = None,
    terminal: Terminal | None = None,
) -> dict[str, str]:
    """Make sure of the images called `names` (all if none) and return variable -> tag.

    An image that can be neither found, pulled nor built (Grafana) is not in the answer.
    Raises StackError when one fails.
    """
    found = obtain(names, checkout=checkout, terminal=terminal)
    return {image.variable: image.tag for image in found if image.how != "left out"}


def obtain(
    names: Iterable[str] = (),
    *,
    checkout: Project | None = None,
    terminal: Terminal | None = None,
    rebuild: bool = False,
) -> list[Image]:
    """As `resolve`, with how each image was obtained. `rebuild` builds ours anew."""
    checkout = checkout or project.load()
    terminal = terminal or Terminal()
    checkout.prepare()
    engine.ensure(checkout, terminal)
    chosen = recipes.select(recipes.load_all(checkout.root), names)
    with _alone(checkout.state / "images.lock", terminal):
        getter = _Getter(checkout, terminal, rebuild)
        found = getter.get_all([recipe for recipe in chosen if not recipe.base])
        found += getter.get_all([recipe for recipe in chosen if recipe.base])
        _record(checkout, found)
    return found


class _Getter:
    def __init__(self, checkout: Project, terminal: Terminal, rebuild: bool) -> None:
        self._checkout = checkout
        self._terminal = terminal
        self._rebuild = rebuild
        self._tags: dict[str, str] = {}
        self._sizes: dict[str, int | None] = {}

    @cached_property
    def _facts(self) -> Facts:
        return facts.read()

    @cached_property
    def _registry(self) -> Registry:
        who = provider.of(endpoint.find(), self._facts)
        remedies = Remedies(disk=who.disk, proxy=self._facts.proxy, setting=who.proxy)
        return Registry(self._checkout.state / "registry-unreachable", remedies)

    def get_all(self, recipes: Sequence[Recipe]) -> list[Image]:
        """Get images whose bases are there."""
        self._sizes |= engine.image_sizes(
            name for recipe in recipes for name in self._names(recipe) if name
        )
        return [self._get(recipe) for recipe in recipes]

    def _names(self, recipe: Recipe) -> tuple[str, str]:
        """What an image may be called: by its publisher, and where it is built here."""
        base_tag = self._tags[recipe.base] if recipe.base else ""
        return self._checkout.settings.get(recipe.variable or "", ""), recipe.tag(base_tag)

    def _get(self, recipe: Recipe) -> Image:
        variable = recipe.variable
        assert variable is not None  # noqa: S101  # load_all leaves the others out
        started = time.monotonic()
        how, tag = self._find(recipe, variable)
        self._tags[variable] = tag
        size = (self._sizes[tag] if how == "present" else engine.image_size(tag)) or 0
        return Image(
            name=recipe.name,
            variable=variable,
            tag=tag,
            how=how,
            seconds=round(time.monotonic() - started, 1),
            size_bytes=size,
        )

    def _find(self, recipe: Recipe, variable: str) -> tuple[str, str]:
        published, ours = self._names(recipe)
        if recipe.upstream and not published:
            raise StackError(f"{variable} is missing in .env")
        log = self._checkout.logs / f"{recipe.name}.log"
        # A release has those of ours that every stack starts.
        released = recipe.upstream or (
            not recipe.on_request and self._checkout.settings.get("OWN_IMAGES") == "missing"
        )
        if released and self._sizes.get(published) is not None:
            return "present", published
        buildable = recipe.builder != "none"
        if buildable and not self._rebuild and self._sizes.get(ours) is not None:
            return "present", ours
        log.unlink(missing_ok=True)
        if released and not self._rebuild and self._pull(published, log, variable):
            return "pulled", published
        if not buildable:
            return "left out", published
        self._check_disk(recipe)
        in_engine = self._builds_in_engine(recipe, log)
        with self._terminal.step(f"building {recipe.name}") as step:
            if in_engine:
                build_docker.build(self._checkout, recipe, ours, log, step.note)
            else:
                self._build(recipe, ours, log, step)
            seconds = step.seconds
        self._terminal.say(f"built {recipe.name} in {seconds:.0f} s")
        return "built", ours

    def _pull(self, published: str, log: Path, variable: str) -> bool:
        if not self._registry.reachable:
            return False
        with self._terminal.step(f"pulling {published}") as step:
            if self._registry.pull(published, log, step.note, variable):
                return True
        self._explain()
        return False

    def _builds_in_engine(self, recipe: Recipe, log: Path) -> bool:
        """Whether an image of ours is compiled in Go's own: where it is here, or no Go is."""
        if recipe.upstream or recipe.on_request or recipe.builder != "go":
            return False
        image = self._checkout.settings.get(_GO, "")
        if image and engine.image_size(image) is not None:
            return True
        if build_go.has_toolchain(recipe):
            return False
        return bool(image) and self._pull(image, log, _GO)

    def _explain(self) -> None:
        """Say why the pull failed. Raises StackError when a build would fail of it, too."""
        refusal = self._registry.refusal
        if refusal is not None:
            if refusal.fatal:
                raise StackError(refusal.text)
            self._terminal.say(refusal.text)
        if self._registry.reachable:
            return
        self._terminal.say("no image registry answers: what is missing is built here")
        if refusal is None and not self._facts.proxy and (variable := proxies.shells()):
            who = provider.of(endpoint.find(), self._facts)
            self._terminal.say(
                f"{variable} is set here, but the engine pulls, without it: set it there, too, by "
                f"{who.proxy}"
            )

    def _build(self, recipe: Recipe, tag: str, log: Path, step: Step) -> None:
        for left in left_behind(self._checkout.state, recipe.name):
            shutil.rmtree(left, ignore_errors=True)
        work = Path(tempfile.mkdtemp(prefix=f"{recipe.name}-", dir=self._checkout.state))
        try:
            architecture = self._facts.go_architecture
            arguments = _STAGE[recipe.builder](recipe, work, log, step.note, architecture)
            if recipe.base:
                arguments |= {recipe.base: self._tags[recipe.base]}
            for file in recipe.folder.iterdir():
                if file.is_file():
                    shutil.copy2(file, work)
            _keep_out(work)
            # Else they would be root's alone in the image, made under a umask such as 077.
            ownership.let_all_read(work / name for name in _KEPT)
            step.note("packing the image")
            command = ["docker", "build", "--tag", tag]
            for key, value in arguments.items():
                command += ["--build-arg", f"{key}={value}"]
            command += ["--label", f"dev.glasshouse.image={recipe.name}", str(work)]
            code = run_logged(
                command,
                log=log,
                timeout=_DOCKER_BUILD_TIMEOUT_S,
                # The classic builder is the one every engine has.
                env={"DOCKER_BUILDKIT": "0"},
            )
            if code != 0:
                raise StackError(f"{recipe.name}: docker build failed, see {log}", log=log)
        finally:
            shutil.rmtree(work, ignore_errors=True)

    def _check_disk(self, recipe: Recipe) -> None:
        free = host.free_disk_bytes(self._checkout.state)
        if free < _BUILD_DISK_BYTES:
            raise StackError(
                f"building {recipe.name} needs 15 GiB of free disk, there are "
                f"{free / 1024**3:.1f}: free some, or make an image registry reachable"
            )


def left_behind(state: Path, name: str) -> list[Path]:
    """Return the folders in which this image was built by runs that were killed.

    Only who holds the lock of images builds, so none of them is in use.
    """
    made = re.compile(rf"{re.escape(name)}-[a-z0-9_]{{8}}")  # as mkdtemp names them
    return [one for one in state.iterdir() if made.fullmatch(one.name) and one.is_dir()]


def _keep_out(work: Path) -> None:
    # Only what the Dockerfile copies goes to the engine.
    lines = ["*", *(f"!{name}" for name in _KEPT)]
    (work / ".dockerignore").write_text("\n".join(lines) + "\n", encoding="ascii")


def _record(checkout: Project, found: Iterable[Image]) -> None:
    file = checkout.images_env
    known = {variable for r in recipes.load_all(checkout.root) if (variable := r.variable)}
    values = (
        {k: v for k, v in dotenv_values(file).items() if v and k in known} if file.is_file() else {}
    )
    for image in found:
        values.pop(image.variable, None)
        if image.how != "left out":
            values[image.variable] = image.tag
    write_variables(file, "Written by glasshouse images; overrides .env.", values)


@contextmanager
def _alone(file: Path, terminal: Terminal) -> Iterator[None]:
    """Hold the lock: two runs at once would build the same image twice."""
    with file.open("w") as lock:
        deadline = time.monotonic() + _LOCK_WAIT_S
        reported = False
        while True:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if time.monotonic() > deadline:
                    raise StackError(f"another run holds {file} for an hour: end it") from None
                if not reported:
                    terminal.say("another run is getting images: waiting for it")
                    reported = True
                time.sleep(0.5)
        yield


def as_json(found: Iterable[Image]) -> list[dict[str, object]]:
    """The images as plain values, for scripts."""
    return [json.loads(json.dumps(image.__dict__)) for image in found]
