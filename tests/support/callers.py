"""Callers of the API for tests."""

import json
from pathlib import Path
from typing import Any

from backend.platform.callers import Scope
from backend.platform.callers import digest as digest

CALLER = "shop"
KEY = "key-of-the-shop-0123456789abcdef"
OTHER = "market"
OTHER_KEY = "key-of-the-market-0123456789abcdef"


def headers(key: str) -> dict[str, str]:
    """Return the headers of who has this key."""
    return {"Authorization": f"Bearer {key}"}


AUTHORIZATION = headers(KEY)
OTHER_AUTHORIZATION = headers(OTHER_KEY)


def entry(name: str, key: str, **changes: Any) -> dict[str, Any]:
    """Return a caller who may do everything, often."""
    entry = {"name": name, "keySha256": [digest(key)], "scopes": [*Scope]}
    return {**entry, "rate": 1000, "burst": 1000, **changes}


def write(path: Path, *entries: dict[str, Any]) -> Path:
    """Write a file of callers; by default the two of this module."""
    known = entries or (entry(CALLER, KEY, trusted=True), entry(OTHER, OTHER_KEY))
    path.write_text(json.dumps(known), encoding="utf-8")
    return path
