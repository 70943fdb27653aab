"""Hooks of the schemathesis run (`SCHEMATHESIS_HOOKS`)."""

import re
import uuid
from typing import Any

import schemathesis

KEY = "idempotency-key"
VALID = re.compile(r"[\x21-\x7e]{1,255}")


@schemathesis.hook
def before_call(context: Any, case: Any, kwargs: Any) -> None:
    """Give each request a key of its own: the same one with another body is refused, rightly."""
    for name, value in list((case.headers or {}).items()):
        if name.lower() == KEY and VALID.fullmatch(str(value)):
            case.headers[name] = uuid.uuid4().hex
