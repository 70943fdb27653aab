"""An image's tag changes when, and only when, what goes into it does."""

from pathlib import Path

import pytest

from glasshouse_cli.errors import StackError
from glasshouse_cli.images.recipe import load, load_all, select

REPOSITORY = Path(__file__).parents[3]


def test_tag_names_the_image_and_twelve_digits(checkout: Path):
    name, _, digest = load(checkout, "backend").tag("base:1").partition(":")

    assert name == "glasshouse/backend"
    assert len(digest) == 12
    assert int(digest, 16) >= 0


def test_tag_stays_when_nothing_changes(checkout: Path):
    assert load(checkout, "backend").tag("base:1") == load(checkout, "backend").tag("base:1")


@pytest.mark.parametrize(
    ("path", "text"),
    [
        ("service/src/main.py", "answer = 43\n"),
        ("service/src/more.py", ""),
        ("uv.lock", "version = 2\n"),
        ("dev/images/backend/Dockerfile", "FROM other\n"),
        ("redaction/rules.yaml", "rules: []\n"),  # an input that was missing before
    ],
)
def test_tag_changes_with_each_input(checkout: Path, path: str, text: str):
    before = load(checkout, "backend").tag("base:1")

    (checkout / path).parent.mkdir(exist_ok=True)
    (checkout / path).write_text(text)

    assert load(checkout, "backend").tag("base:1") != before


@pytest.mark.parametrize(
    "path",
    [
        "service/src/__pycache__/main.cpython-313.pyc",
        "service/src/main.pyc",
        "service/README.md",
        "service/dist/backend.whl",
        "dev/images/loki/Dockerfile",  # another recipe's
        "dev/fakes/src/main.py",  # no input of this image
    ],
)
def test_tag_ignores_what_does_not_go_in(checkout: Path, path: str):
    before = load(checkout, "backend").tag("base:1")

    (checkout / path).parent.mkdir(exist_ok=True, parents=True)
    (checkout / path).write_text("changed")

    assert load(checkout, "backend").tag("base:1") == before


def test_tag_changes_with_the_base_image(checkout: Path):
    recipe = load(checkout, "backend")

    assert recipe.tag("base:1") != recipe.tag("base:2")


def test_tag_changes_when_a_file_becomes_executable(checkout: Path):
    before = load(checkout, "backend").tag()

    (checkout / "service" / "src" / "main.py").chmod(0o755)

    assert load(checkout, "backend").tag() != before


def test_renaming_a_file_changes_the_tag(checkout: Path):
    before = load(checkout, "backend").tag()

    (checkout / "service" / "src" / "main.py").rename(checkout / "service" / "src" / "other.py")

    assert load(checkout, "backend").tag() != before


def test_a_base_comes_before_what_is_built_on_it(checkout: Path):
    assert [r.name for r in load_all(checkout)] == ["loki", "python", "backend"]


def test_choosing_an_image_chooses_its_base(checkout: Path):
    chosen = select(load_all(checkout), ["backend"])

    assert [r.name for r in chosen] == ["python", "backend"]


def test_images_can_be_chosen_by_variable(checkout: Path):
    assert [r.name for r in select(load_all(checkout), ["LOKI_IMAGE"])] == ["loki"]


def test_an_image_on_request_is_had_by_its_name_alone(checkout: Path):
    file = checkout / "dev" / "images" / "loki" / "image.toml"
    file.write_text('variable = "LOKI_IMAGE"\nbuilder = "go"\non_request = true\n')

    assert [r.name for r in select(load_all(checkout), [])] == ["python", "backend"]
    assert [r.name for r in select(load_all(checkout), ["loki"])] == ["loki"]


def test_what_one_machine_does_not_start_is_built_on_request_alone():
    asked = {r.name for r in load_all(REPOSITORY) if r.on_request}

    assert asked == {"kafka", "thanos", "versitygw"}


def test_unknown_image_names_the_choice(checkout: Path):
    with pytest.raises(StackError, match="no image called nginx: choose from loki, python"):
        select(load_all(checkout), ["nginx"])


def test_wrong_builder_names_file_and_choice(checkout: Path):
    file = checkout / "dev" / "images" / "loki" / "image.toml"
    file.write_text('variable = "LOKI_IMAGE"\nbuilder = "make"\n')

    with pytest.raises(StackError, match=r"loki/image\.toml: builder must be one of go, debian"):
        load(checkout, "loki")


def test_every_image_of_the_settings_has_a_recipe():
    lines = (REPOSITORY / ".env").read_text().splitlines()
    variables = {line.partition("=")[0] for line in lines if "_IMAGE=" in line}

    assert {r.variable for r in load_all(REPOSITORY)} == variables


@pytest.mark.parametrize("name", ["loki", "prometheus", "alertmanager", "thanos"])
def test_built_version_is_the_pulled_one(name: str):
    recipe = load(REPOSITORY, name)
    pins = dict(
        line.split("=", 1) for line in (REPOSITORY / ".env").read_text().splitlines() if "=" in line
    )

    assert pins[str(recipe.variable)].partition("@")[0].endswith(recipe.version)
