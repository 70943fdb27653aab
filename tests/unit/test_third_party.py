"""THIRD_PARTY.md is what the lock files and `.env` say, and nothing in it forbids shipping."""

import re
import shutil
from importlib.metadata import distribution
from pathlib import Path, PurePath

import pytest

from glasshouse_cli import project
from glasshouse_cli.errors import StackError
from glasshouse_cli.images import recipe
from glasshouse_cli.supply import notices, parts
from glasshouse_cli.supply.parts import Part

ROOT = Path(__file__).parents[2]
CHECKOUT = project.load(ROOT)
needs_go = pytest.mark.skipif(shutil.which("go") is None, reason="Go lists what is compiled in")


@needs_go
def test_the_page_is_what_the_lock_files_say() -> None:
    written = (ROOT / notices.FILE).read_text(encoding="utf-8")
    assert notices.render(ROOT, CHECKOUT.settings) == written, "run `make notices`"


@needs_go
def test_every_part_that_is_shipped_has_a_licence_that_may_be() -> None:
    shipped = [*parts.by_image(ROOT), *parts.go(ROOT)]
    assert len(shipped) > 250
    assert list(notices.unlicensed(shipped)) == []


@needs_go
def test_a_part_under_the_agpl_is_not_written_down_but_refused(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    bad = Part(kind="golang", name="github.com/grafana/loki/v3", version="v3.7.8", licence="AGPL-3")
    go = parts.go

    def with_it(root: Path) -> list[Part]:
        return [*go(root), bad]

    monkeypatch.setattr(parts, "go", with_it)
    with pytest.raises(StackError, match=r"loki/v3 v3\.7\.8 is under AGPL-3, which may not be"):
        notices.render(ROOT, CHECKOUT.settings)


@needs_go
def test_nothing_of_the_agpl_programs_is_compiled_in() -> None:
    names = {part.name for part in parts.go(ROOT)}
    assert "go.opentelemetry.io/otel" in names
    assert [
        name for name in names if re.match(r"github\.com/grafana/(loki|tempo|grafana)", name)
    ] == []


def test_every_published_image_is_named_with_its_licence() -> None:
    upstream = {
        one.variable
        for one in recipe.load_all(ROOT)
        if one.upstream and one.variable is not None and not one.stage
    }
    assert upstream <= set(notices.SERVICES)
    page = (ROOT / notices.FILE).read_text(encoding="utf-8")
    for variable in upstream:
        image = CHECKOUT.settings[variable].partition("@")[0]
        assert f"| `{image}` |" in page, variable


def test_the_agpl_programs_are_said_to_be_separate() -> None:
    page = " ".join((ROOT / notices.FILE).read_text(encoding="utf-8").split())
    assert "Loki, Tempo and Grafana are under the AGPL. They run as separate services" in page
    assert "None of their code is linked into, copied into or shipped with Glasshouse" in page


def test_libraries_inside_wheels_are_named() -> None:
    bundled = {
        (part.name, PurePath(str(file)).name)
        for part in parts.by_image(ROOT)
        for file in distribution(part.name).files or ()
        if PurePath(str(file)).parent.name.endswith(".libs")
    }
    known = {(row[0], start) for start, row in notices.BUNDLED.items()}
    seen = {(package, re.split(r"[-.]", file)[0]) for package, file in bundled}
    assert seen - known == set()


def test_a_package_of_another_platform_is_left_out() -> None:
    names = {part.name for part in parts.python(ROOT, "glasshouse-backend")}
    assert {"psycopg", "psycopg-binary", "fastapi"} <= names
    assert names & {"tzdata", "async-timeout", "colorama", "pytest", "glasshouse"} == set()


def test_images_built_of_debian_keep_the_copyright_of_each_package() -> None:
    recipes = [one for one in recipe.load_all(ROOT) if one.builder == "debian"]
    assert len(recipes) > 3
    for one in recipes:
        left_out = "/usr/share/doc/*" in one.options["leave_out"]
        kept = "/usr/share/doc/*/copyright" in one.options.get("keep", ())
        assert kept or not left_out, one.name
