"""Parts of the SDK that do the same in a fraction of the time, in the SDK's own classes.

The classes stay: spans, tracers and instruments are the SDK's, or kinds of them, so that
processors, readers and views of others work as before. Whatever is not plain goes the SDK's way.
"""

from glasshouse.light.choice import is_light
from glasshouse.light.parts import fits, install, uninstall

__all__ = ["fits", "install", "is_light", "uninstall"]
