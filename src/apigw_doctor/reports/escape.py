r"""Log text is data: what every report does to it before it leaves.

Evidence is redacted before it gets here. These helpers see to it that no text can steer a terminal, break out
of a table or a fence, mention a person or become a link.

>>> one_line("\x1b[31mTask timed\nout\x1b[0m  after 29 s", 18)
'Task timed out ...'
>>> markdown_text("<b>| see [x](http://e.test) @here")
'&lt;b&gt;\\| see \\[x\\](http:\\//e.test) ＠here'
>>> markdown_code("a ` b")
'``a ` b``'
"""

import re
from typing import Any

from apigw_doctor.evidence.redact import clean_terminal

_ELLIPSIS = "..."
_MARKDOWN = re.compile(r"[\\`*_\[\]|~#!$]")
_ENTITIES = str.maketrans({"&": "&amp;", "<": "&lt;", ">": "&gt;"})
#: A list, a heading underline or a numbered list, where a line begins with it.
_BLOCK_START = re.compile(r"\A(\d{1,9})?([-+=.)])")
# A backslash does not stop a mention: those are looked for in the rendered text.
_MENTION = re.compile(r"@(?=\w)")
_BACKTICKS = re.compile(r"`+")


def one_line(text: str, limit: int | None = None) -> str:
    """Return `text` without controls and line breaks, spaces collapsed, cut to `limit` characters."""
    line = " ".join(clean_terminal(text).split())
    if limit is None or len(line) <= limit:
        return line
    return line[: max(limit - len(_ELLIPSIS), 0)] + _ELLIPSIS


def clean_lines(text: str) -> str:
    """Return `text` without controls; its line breaks stay, as a command may need them."""
    return "\n".join(clean_terminal(line) for line in text.splitlines())


def clean_values(value: Any) -> Any:  # noqa: ANN401 - any JSON value
    """Return the JSON value with the controls taken out of every text in it, names of keys included."""
    if isinstance(value, str):
        return clean_lines(value) if "\n" in value else clean_terminal(value)
    if isinstance(value, dict):
        return {clean_terminal(key): clean_values(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [clean_values(item) for item in value]
    return value


def ascii_text(text: str) -> str:
    """Return `text` with a question mark for every character that an ASCII terminal cannot show."""
    return text.encode("ascii", "replace").decode("ascii")


def markdown_text(text: str, limit: int | None = None) -> str:
    """Return `text` as Markdown that renders as the same words and nothing else."""
    line = _MARKDOWN.sub(r"\\\g<0>", one_line(text, limit)).translate(_ENTITIES)
    line = line.replace("://", ":\\//").replace("www.", "www\\.")
    line = _BLOCK_START.sub(lambda match: f"{match[1] or ''}\\{match[2]}", line)
    return _MENTION.sub("＠", line)


def markdown_code(text: str, limit: int | None = None, *, in_table: bool = False) -> str:
    """Return `text` as a code span; in a table a bar ends the cell even inside one."""
    line = one_line(text, limit)
    if not line:
        return ""
    ticks = _ticks(line, least=1)
    if line[0] == "`" or line[-1] == "`":
        line = f" {line} "
    if in_table:
        line = line.replace("|", "\\|")
    return f"{ticks}{line}{ticks}"


def markdown_fence(text: str, language: str = "") -> str:
    """Return `text` as a fenced block that nothing in it can close."""
    body = clean_lines(text)
    ticks = _ticks(body, least=3)
    return f"{ticks}{language}\n{body}\n{ticks}"


def _ticks(text: str, *, least: int) -> str:
    longest = max((len(run) for run in _BACKTICKS.findall(text)), default=0)
    return "`" * max(least, longest + 1)
