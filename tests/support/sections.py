"""Parts of a page that a program writes, between two markers; the rest is left as it is."""

import re


def read(page: str, name: str) -> str:
    """Return what stands between the markers of ``name``, empty where there are none."""
    found = _pattern(name).search(page)
    return found["content"] if found else ""


def written(page: str, name: str, content: str) -> str:
    """Return ``page`` with ``content`` between its markers; new ones stand at its end."""
    block = f"<!-- begin {name} -->\n{content}<!-- end {name} -->\n"
    if _pattern(name).search(page):
        return _pattern(name).sub(lambda _: block, page)
    return f"{page.rstrip()}\n\n{block}".lstrip()


def _pattern(name: str) -> re.Pattern[str]:
    return re.compile(
        rf"<!-- begin {re.escape(name)} -->\n(?P<content>.*?)<!-- end {re.escape(name)} -->\n",
        re.DOTALL,
    )
