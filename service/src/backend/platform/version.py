"""The version of this service, as it was installed."""

from importlib.metadata import version
from typing import Final

PACKAGE: Final = "glasshouse-backend"
VERSION: Final = version(PACKAGE)
