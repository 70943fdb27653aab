"""`glasshouse-native`, built from this checkout once, and used as if it were installed."""

import functools
import importlib.machinery
import importlib.util
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from glasshouse import native

ROOT = Path(__file__).parents[2]
CRATE = ROOT / "native"
# From nothing, on a machine with other work.
_BUILT_WITHIN_S = 1500


def module() -> Any:
    """Return the module; skip the test where it cannot be built."""
    found = _built()
    if isinstance(found, str):
        pytest.skip(found)
    return found


@functools.cache
def _built() -> Any:
    if shutil.which("cargo") is None:
        return "cargo builds the native part, and is not installed"
    manifest = ["--locked", "--manifest-path", str(CRATE / "Cargo.toml")]
    fetched = subprocess.run(
        ["cargo", "fetch", *manifest], capture_output=True, text=True, timeout=300
    )
    if fetched.returncode:
        return f"the crates cannot be had: {fetched.stderr.strip().splitlines()[-1]}"
    subprocess.run(
        ["cargo", "build", "--release", *manifest],
        check=True,
        timeout=_BUILT_WITHIN_S,
    )
    ending = "dylib" if sys.platform == "darwin" else "so"
    file = CRATE / "target" / "release" / f"lib{native.MODULE}.{ending}"
    loader = importlib.machinery.ExtensionFileLoader(native.MODULE, str(file))
    spec = importlib.util.spec_from_loader(native.MODULE, loader)
    assert spec is not None
    made = importlib.util.module_from_spec(spec)
    loader.exec_module(made)
    return made


def loading() -> str:
    """Return the source with which a program of a test's loads and uses the module."""
    return (
        "import importlib.machinery, importlib.util, os, sys\n"
        f"os.environ[{native.VARIABLE!r}] = 'on'\n"
        f"loader = importlib.machinery.ExtensionFileLoader({native.MODULE!r}, "
        f"{module().__spec__.loader.path!r})\n"
        "spec = importlib.util.spec_from_loader(loader.name, loader)\n"
        "sys.modules[loader.name] = importlib.util.module_from_spec(spec)\n"
        "loader.exec_module(sys.modules[loader.name])\n"
    )


@contextmanager
def installed(found: Any) -> Iterator[None]:
    """Let the package find this module, or none where it is None."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(sys.modules, native.MODULE, found)
        patch.setenv(native.VARIABLE, "off" if found is None else "on")
        native.module.cache_clear()
        yield
    native.module.cache_clear()
