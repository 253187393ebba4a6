"""Tables as people copy them: CSV, TSV, Markdown, HTML, and the console's `Field | Value` of one record.

Each reader takes lines and gives rows as `{column: text}`; it says when the table is over.
"""

import csv
import html
import re
from collections.abc import Iterable, Iterator

import msgspec

Row = dict[str, str]
#: A log event may have 1 MB; the csv module stops at 128 KB unless told.
csv.field_size_limit(1 << 24)

#: A header must name one of these columns to be believed.
_KNOWN = frozenset(
    [
        "@timestamp",
        "@message",
        "timestamp",
        "message",
        "@logStream",
        "@log",
        "@requestId",
        "@duration",
        "@type",
        "@ingestionTime",
        "@entity",
    ]
)
#: How consoles and log viewers name the time and the text of a record.
TIME_COLUMNS = ("@timestamp", "timestamp", "time", "date", "datetime", "_time", "eventtime")
TEXT_COLUMNS = ("@message", "message", "line", "log", "msg", "_raw", "body", "content", "event")
GROUP_COLUMNS = ("@log", "log_group", "loggroup", "@log_group", "aws.cloudwatch.log_group", "awslogs.loggroup")
STREAM_COLUMNS = ("@logstream", "log_stream", "logstream", "logstreamname", "@log_stream", "aws.cloudwatch.log_stream")
_RULE = re.compile(r"\|?[\s:|-]*-{3,}[\s:|-]*\|?")
_CELL = re.compile(r"<t[dh][^>]*>(.*?)</t[dh]>", re.DOTALL | re.IGNORECASE)


class TableRow(msgspec.Struct, frozen=True):
    """One row and the number of the line on which it began."""

    number: int
    cells: Row


class Table:
    """A table being read line by line."""

    def feed(self, number: int, line: str) -> list[TableRow] | None:
        """Rows that this line completed; None when the line does not belong to the table."""

    def end(self) -> list[TableRow]:
        """What was still open."""
        return []


def open_table(line: str) -> Table | None:
    """The table that begins with this line, if one does."""
    stripped = line.strip()
    if stripped.startswith("|"):
        return _open_markdown(stripped)
    if stripped in ("Field | Value", "Field\tValue", "| Field | Value |"):
        return FieldValue()
    if re.match(r"(?i)<(table|thead|tbody|tr)\b", stripped):
        return Html(line)
    for delimiter in (",", "\t", ";"):
        names = _cells(stripped, delimiter)
        names = [name.strip() for name in names]
        if (len(names) > 1 or names == ["@message"]) and _is_header(names):
            return Delimited(names, delimiter)
    return None


def _is_header(names: list[str]) -> bool:
    if not all(re.fullmatch(r"[@\w.() *-]{1,60}", name) and not name.isdigit() for name in names):
        return False
    return bool(_KNOWN & set(names)) or (
        column(names, TIME_COLUMNS) is not None and column(names, TEXT_COLUMNS) is not None
    )


def column(names: Iterable[str], wanted: tuple[str, ...]) -> str | None:
    """The first of the wanted columns that is there, in any case."""
    by_name = {name.lower(): name for name in names}
    return next((by_name[name] for name in wanted if name in by_name), None)


def looks_like_access_header(line: str) -> bool:
    """A CSV header of access-log fields (Insights export of displayed fields)."""
    names = line.strip().strip('"').replace('"', "").split(",")
    return (
        len(names) > 2
        and all(re.fullmatch(r"[@\w.]{1,60}", name) for name in names)
        and not any(name.isdigit() for name in names)
    )


class Delimited(Table):
    """CSV or TSV with a header; quoted cells may hold line ends."""

    def __init__(self, names: list[str], delimiter: str) -> None:
        self._names = names
        self._delimiter = delimiter
        self._open: list[str] = []
        self._began = 0
        self._last: TableRow | None = None

    def feed(self, number: int, line: str) -> list[TableRow] | None:
        """See `Table`."""
        if not self._open:
            if not line.strip():
                return []
            self._began = number
        self._open.append(line)
        text = "\n".join(self._open)
        if self._quoting_open(text) and len(self._open) < 2000:
            return []
        self._open = []
        cells = _cells(text, self._delimiter)
        if len(cells) < len(self._names):
            return None if len(cells) < 2 or len(self._names) == 2 else [self._row(cells)]
        return [self._row(cells)]

    def _quoting_open(self, text: str) -> bool:
        return text.count('"') % 2 == 1

    def _row(self, cells: list[str]) -> TableRow:
        if len(cells) > len(self._names):
            # An unquoted message with delimiters in it: the rest belongs to the last column.
            keep = len(self._names) - 1
            cells = [*cells[:keep], self._delimiter.join(cells[keep:])]
        return TableRow(self._began, dict(zip(self._names, cells, strict=False)))

    def end(self) -> list[TableRow]:
        """See `Table`."""
        if not self._open:
            return []
        cells = _cells("\n".join(self._open) + '"', self._delimiter)
        self._open = []
        return [self._row(cells)] if len(cells) >= len(self._names) else []


def _cells(text: str, delimiter: str) -> list[str]:
    """The cells of one CSV record; of what is none, the pieces between delimiters."""
    try:
        return next(csv.reader(text.splitlines(keepends=True), delimiter=delimiter), [])
    except csv.Error:
        return text.split(delimiter)


def _open_markdown(line: str) -> Table | None:
    names = [name.strip().replace("\\", "") for name in line.strip("|").split("|")]
    names = [re.sub(r"\s*_\s+", "_", name) for name in names]
    if names == ["Field", "Value"]:
        return FieldValue()
    return Markdown(names) if all(re.fullmatch(r"[@\w.() *-]{1,60}", name) for name in names) else None


class Markdown(Table):
    """`| @timestamp | @message |` with its rule line; cells hold no line ends, but may hold pipes."""

    def __init__(self, names: list[str]) -> None:
        self._names = names

    def feed(self, number: int, line: str) -> list[TableRow] | None:
        """See `Table`."""
        stripped = line.strip()
        if not stripped.startswith("|"):
            return None
        if _RULE.fullmatch(stripped):
            return []
        inner = stripped[1:-1] if stripped.endswith("|") and len(stripped) > 1 else stripped[1:]
        inner = inner.replace("\\|", "\x00")
        cells = [cell.strip().replace("\x00", "|") for cell in inner.split("|", len(self._names) - 1)]
        if len(cells) < len(self._names):
            return []
        return [TableRow(number, {name: html.unescape(cell) for name, cell in zip(self._names, cells, strict=True)})]


class FieldValue(Table):
    """One record as `Field | Value` lines."""

    def __init__(self) -> None:
        self._cells: Row = {}
        self._began = 0

    def feed(self, number: int, line: str) -> list[TableRow] | None:
        """See `Table`."""
        stripped = line.strip().strip("|").strip()
        if _RULE.fullmatch(line.strip()):
            return []
        name, separator, value = stripped.partition("\t") if "\t" in stripped else stripped.partition("|")
        name = name.strip()
        if not separator or not re.fullmatch(r"[@\w.]{1,60}", name):
            if not stripped:
                done = self.end()
                return done if done else []
            return None
        done = self.end() if name in self._cells else []
        if not self._cells:
            self._began = number
        self._cells[name] = value.strip()
        return done

    def end(self) -> list[TableRow]:
        """See `Table`."""
        cells, self._cells = self._cells, {}
        return [TableRow(self._began, cells)] if cells else []


class Html(Table):
    """An HTML table as a console or converter copies it; cells in document order, header from `<th>` or guessed."""

    def __init__(self, first: str) -> None:
        self._names: list[str] = []
        self._open: list[str] = []
        self._began = 0
        self._first: str | None = first

    def feed(self, number: int, line: str) -> list[TableRow] | None:
        """See `Table`."""
        if not self._open and not re.search(r"(?i)<t[rdh]\b|</?t(able|head|body|r)\b", line):
            return [] if not line.strip() else None
        if not self._open:
            self._began = number
        self._open.append(line)
        text = "\n".join(self._open)
        if re.search(r"(?i)<tr\b", text) and not re.search(r"(?i)</tr>", text):
            return []
        self._open = []
        return [TableRow(self._began, row) for row in self._rows(text)]

    def _rows(self, text: str) -> Iterator[Row]:
        for part in re.split(r"(?i)</tr>", text):
            cells = [_cell_text(cell) for cell in _CELL.findall(part)]
            if not cells:
                continue
            if re.search(r"(?i)<th\b", part) or (not self._names and _is_header(cells)):
                self._names = cells
                continue
            names = self._names or (["@timestamp", "@message"] if len(cells) == 2 else ["@message"])
            yield dict(zip(names, cells, strict=False))

    def end(self) -> list[TableRow]:
        """See `Table`."""
        text, self._open = "\n".join(self._open), []
        return [TableRow(self._began, row) for row in self._rows(text)] if text else []


def _cell_text(cell: str) -> str:
    return html.unescape(re.sub(r"<[^>]+>", "", re.sub(r"(?i)<br\s*/?>", "\n", cell))).strip("\n ")
