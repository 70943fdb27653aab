"""`glasshouse init`: the first files of a domain of one's own."""

from __future__ import annotations

import re
import tempfile
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Final

from glasshouse_cli.errors import StackError
from glasshouse_cli.files import write_atomically
from glasshouse_cli.own import check, made
from glasshouse_cli.own.folder import Own
from glasshouse_cli.own.names import Names
from glasshouse_cli.project import Project

FOLDER: Final = Path(__file__).parent / "skeleton"


def texts(names: Names) -> Mapping[str, str]:
    """Return each file of the skeleton, by its name in the folder.

    Raises StackError when what draws dashboards is not installed.
    """
    try:
        from glasshouse_dashboards.own import render
    except ImportError as error:
        raise StackError(f"{error.name} is missing: `make venv` installs it") from error
    found = {
        names.fill(str(path.relative_to(FOLDER))): names.fill(path.read_text(encoding="utf-8"))
        for path in sorted(FOLDER.rglob("*"))
        if path.suffix in {".yaml", ".md"}
    }
    found[f"dashboards/{names.domain}.json"] = render(
        domain=names.domain,
        service=names.service,
        title=names.fill("__Titles__"),
        counter=f"{names.plural}_total",
        slo=names.slo,
        runbooks=[f"{names.alert}Failures", f"{names.alert}BudgetBurn"],
    )
    return found


def write(checkout: Project, own: Own, names: Names) -> list[str]:
    """Write the skeleton and what is made of it; return the names of the files.

    Raises StackError, having written nothing, when one of them is there, or the name does not work.
    """
    found = texts(names)
    if there := [name for name in found if (own.folder / name).exists()]:
        path = own.name(own.folder / there[0])
        raise StackError(
            f"{path} is there already: nothing was written. Choose another folder, or another "
            "--domain"
        )
    _try(checkout, own, names, found)
    try:
        for name, text in found.items():
            write_atomically(own.folder / name, text)
    except OSError as error:
        raise StackError(
            f"{own.folder} cannot be written ({error.strerror}): make it writable, or choose "
            "another folder"
        ) from error
    return [*(own.name(own.folder / name) for name in found), *made.write(checkout, own)]


def _try(checkout: Project, own: Own, names: Names, found: Mapping[str, str]) -> None:
    """Put the files where nobody reads them, and look whether they would work there."""
    made.documents(checkout, own)  # what is there must be readable before more is added
    with tempfile.TemporaryDirectory() as folder:
        # Under the same name for people as the real one.
        trial = replace(own, folder=Path(folder), root=Path("/"), prefix=folder)
        for name, text in found.items():
            write_atomically(trial.folder / name, text)
        try:
            made.write(checkout, trial)
            faults = [str(one) for one in check.static(checkout, trial)]
        except StackError as error:
            faults = [str(error)]
    if faults:
        # Where it stands helps nobody: the file is gone.
        text = re.sub(rf"^{re.escape(folder)}/\S+?:\d+: ", "", faults[0])
        raise StackError(f"{names.domain} does not work as a name (--domain NAME): {text}")
