"""Nothing in a log steers a terminal, a table, a fence or a chat."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from apigw_doctor.reports.escape import (
    ascii_text,
    clean_values,
    markdown_code,
    markdown_fence,
    markdown_text,
    one_line,
)
from tests.reports.sample import HOSTILE


@given(st.text())
def test_one_line_is_one_line_of_printable_text(text: str) -> None:
    """Controls, line breaks and direction marks are gone."""
    line = one_line(text)
    assert len(line.splitlines()) <= 1
    assert not set(line) & set("\x00\x07\x1b\x7f\x9b\u202e\u2066\u200b")


@given(st.text(), st.integers(min_value=4, max_value=40))
def test_one_line_keeps_to_its_limit(text: str, limit: int) -> None:
    """A cut text ends in dots."""
    assert len(one_line(text, limit)) <= limit


@pytest.mark.parametrize(
    ("text", "escaped"),
    [
        ("<script>", "&lt;script&gt;"),
        ("a | b", "a \\| b"),
        ("[click](http://evil.invalid)", "\\[click\\](http:\\//evil.invalid)"),
        ("see www.evil.invalid", "see www\\.evil.invalid"),
        ("@channel and a@b", "＠channel and a＠b"),
        ("# heading", "\\# heading"),
        ("- item", "\\- item"),
        ("1. item", "1\\. item"),
        ("---", "\\---"),
        ("&lt;", "&amp;lt;"),
        ("`x` *y* _z_ ~~q~~ ![i] $m$", "\\`x\\` \\*y\\* \\_z\\_ \\~\\~q\\~\\~ \\!\\[i\\] \\$m\\$"),
    ],
)
def test_markdown_text_is_the_same_words_and_no_markup(text: str, escaped: str) -> None:
    """Each piece of syntax is taken literally."""
    assert markdown_text(text) == escaped


def test_a_code_span_is_wider_than_the_backticks_in_it() -> None:
    """So that they cannot close it; a bar would end the cell of a table."""
    assert markdown_code("a `` b") == "```a `` b```"
    assert markdown_code("`a") == "`` `a ``"
    assert markdown_code("a|b", in_table=True) == "`a\\|b`"
    assert markdown_code("a|b") == "`a|b`"


def test_a_fence_is_longer_than_the_backticks_in_it() -> None:
    """A log line of four backticks would close one of three."""
    assert markdown_fence("````\n<b>", "text") == "`````text\n````\n<b>\n`````"


def test_values_of_an_answer_are_cleaned_at_every_depth() -> None:
    """Names of keys too: causes and layers are counted by name."""
    assert clean_values({"a\x1b[31m": [HOSTILE[:21], 1, None, {"b": "x\x00\ny\x07"}]}) == {
        "a": ["Calling DynamoDB", 1, None, {"b": "x\ny"}]
    }


def test_ascii_text_replaces_what_the_terminal_cannot_show() -> None:
    """One question mark for one character, so that columns stay."""
    assert ascii_text("é█ plain") == "?? plain"
