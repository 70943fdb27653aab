"""The channels: one module each, which registers what it needs in `base.CHANNELS`.

A new module in this folder is found by itself.
"""

import importlib
import pkgutil

for _module in pkgutil.iter_modules(__path__, f"{__name__}."):
    importlib.import_module(_module.name)
