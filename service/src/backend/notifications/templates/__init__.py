"""The texts of notifications, one file a template.

The first line is the subject, the rest after an empty line the text. ``$name`` stands for a value
of the notification's data. Values are put in as they are: the texts are plain, never HTML.
"""

import string
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib import resources


@dataclass(frozen=True, kw_only=True)
class RenderedMessage:
    """A rendered notification: personal data."""

    subject: str
    body: str


@dataclass(frozen=True, kw_only=True)
class Template:
    """One template, and the names of the values it needs."""

    subject: string.Template
    body: string.Template

    @property
    def needs(self) -> frozenset[str]:
        return frozenset([*self.subject.get_identifiers(), *self.body.get_identifiers()])

    def render(self, data: Mapping[str, str]) -> RenderedMessage:
        """Fill the values in. Raises KeyError if one is missing."""
        subject = self.subject.substitute(data)
        # One line, whatever is in the values: a line end would begin another mail header.
        return RenderedMessage(subject=" ".join(subject.split()), body=self.body.substitute(data))


@cache
def templates() -> Mapping[str, Template]:
    """Return all templates by name."""
    files = resources.files(__name__).iterdir()
    return {
        file.name.removesuffix(".txt"): _parse(file.read_text(encoding="utf-8"))
        for file in sorted(files, key=lambda file: file.name)
        if file.name.endswith(".txt")
    }


def _parse(text: str) -> Template:
    subject, _, body = text.partition("\n\n")
    return Template(subject=string.Template(subject), body=string.Template(body))
