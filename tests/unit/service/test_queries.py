import re
from importlib import resources
from pathlib import Path

import pytest

import backend
from backend.platform.migrate import ours, procrastinates
from backend.platform.queries import query

SQL = resources.files("backend.platform").joinpath("queries.sql").read_text(encoding="utf-8")
NAMES = re.findall(r"^-- name: (\w+)$", SQL, re.MULTILINE)


def test_names_are_unique():
    assert len(NAMES) == len(set(NAMES))


@pytest.mark.parametrize("name", NAMES)
def test_statement_starts_with_its_verb(name: str):
    assert query(name).split()[0] in {"SELECT", "INSERT", "UPDATE", "DELETE", "CREATE"}
    assert query(name).endswith(";")


def test_every_statement_is_used():
    code = "".join(
        file.read_text(encoding="utf-8") for file in Path(backend.__path__[0]).rglob("*.py")
    )
    assert [name for name in NAMES if f'"{name}"' not in code] == []


def test_each_migration_has_a_number_of_its_own():
    names = [migration.name for migration in ours()]
    numbers = [re.fullmatch(r"([0-9]{4})_[a-z_]+\.sql", name)[1] for name in names]  # pyright: ignore[reportOptionalSubscript]
    assert numbers == sorted(set(numbers))
    assert numbers[0] == "0001"


def test_procrastinates_migrations_are_found_in_order():
    names = [migration.name for migration in procrastinates()]
    assert "procrastinate/03.04.00_01_pre_add_retry_failed_job_procedure.sql" in names
    assert names == sorted(names)
