"""Takes what a service logs by Python's `logging`: over OTLP complete, on consoles redacted."""

from glasshouse.capture.export import export
from glasshouse.capture.install import (
    install,
    is_installed,
    show,
    uninstall,
    was_exported,
    watchers,
)

__all__ = [
    "export",
    "install",
    "is_installed",
    "show",
    "uninstall",
    "was_exported",
    "watchers",
]
