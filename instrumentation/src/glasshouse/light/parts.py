"""Puts the light parts into the SDK, for the whole process."""

from glasshouse.light import instruments, tracers


def install() -> None:
    """Give tracers and instruments of this process the light ways. Safe to call twice."""
    instruments.install()
    tracers.install()


def uninstall() -> None:
    """Give the SDK its own ways back."""
    instruments.uninstall()
    tracers.uninstall()
