"""Finds personal data and secrets in texts and values, and puts masks in their place.

from glasshouse.redaction import Redactor

Redactor.default().text("mail jane@example.com")    # "mail [email:60f1…]"
"""

from glasshouse.redaction.errors import PolicyError
from glasshouse.redaction.redactor import Redactor

__all__ = ["PolicyError", "Redactor"]
