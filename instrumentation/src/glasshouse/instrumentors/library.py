"""Whether a library is there, for instrumentations that import nothing of it by themselves."""

from collections.abc import Collection

from opentelemetry.instrumentation.dependencies import (
    DependencyConflictError,
    get_dependency_conflicts,
)


def require(name: str, requirements: Collection[str]) -> None:
    """Check that a library is installed in a version that is known.

    Raises:
        ModuleNotFoundError: it is not installed.
        DependencyConflictError: it is installed in another version.
    """
    conflict = get_dependency_conflicts(requirements)
    if conflict is None:
        return
    if not conflict.found:
        raise ModuleNotFoundError(f"No module named {name!r}", name=name)
    raise DependencyConflictError(conflict)
