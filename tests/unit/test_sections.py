"""A program writes its part of a page, and leaves the rest."""

from support import sections

PAGE = "# Title\n\n<!-- begin one -->\nold\n<!-- end one -->\nafter\n"


def test_a_part_is_replaced_where_it_stands() -> None:
    page = sections.written(PAGE, "one", r"new \1" + "\n")
    assert page == PAGE.replace("old", r"new \1")
    assert sections.read(page, "one") == "new \\1\n"


def test_a_new_part_stands_at_the_end() -> None:
    page = sections.written(PAGE, "two", "more\n")
    assert page == PAGE + "\n<!-- begin two -->\nmore\n<!-- end two -->\n"
    assert sections.written("", "two", "more\n") == "<!-- begin two -->\nmore\n<!-- end two -->\n"


def test_a_part_that_is_not_there_is_empty() -> None:
    assert sections.read(PAGE, "two") == ""
