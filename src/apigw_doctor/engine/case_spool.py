"""Rows and columns into DuckDB and out of it, without any other library.

Measured on 160,000 requests in nine columns: lists in newline JSON 0.12 s, CSV 0.31 s, lists as parameters of the
statement 81 s; out again as tuples 0.1 s.
"""

from array import array
from collections.abc import Iterable, Iterator
from itertools import islice
from pathlib import Path
from typing import Any

import msgspec

from apigw_doctor.engine.case_tables import quoted, tables

_ROWS_AT_ONCE = 500
_VALUES_AT_ONCE = 2000
#: What one statement adds is in memory until it ends.
_ROWS_OF_A_STATEMENT, _BYTES_OF_A_STATEMENT = 100_000, 8_000_000
_THERE = "SELECT column_name FROM duckdb_columns() WHERE database_name = 'kase' AND table_name = ?"
#: DuckDB takes a buffer of twice this for every thread; a longer object makes it so much larger.
_LEAST_BUFFER = 1 << 18


class Spool:
    """Puts rows into the tables of one connection by way of a file in `folder`."""

    def __init__(self, connection: Any, folder: Path) -> None:  # noqa: ANN401 - DuckDB has no types
        self._connection = connection
        self._path = folder / "rows.ndjson"

    def rows(self, table: str, rows: Iterable[object], **same: object) -> None:
        """Add rows; `same` are values that all of them share."""
        chosen = {name: quoted(name) for name in tables()[table].columns if name not in same}
        for parts in _weighed(_lines(rows)):
            self._load(table, same, chosen, "", self._write(parts))

    def columns(self, table: str, columns: "dict[str, array[Any]]", **same: object) -> None:
        """Add rows that are given in columns of one length."""
        chosen = {name: f"unnest({quoted(name)})" for name in columns}
        for start in range(0, len(next(iter(columns.values()))), _ROWS_OF_A_STATEMENT):
            part = {name: column[start : start + _ROWS_OF_A_STATEMENT] for name, column in columns.items()}
            self._load(table, same, chosen, "[]", self._write(_slices(part)))

    def _write(self, parts: Iterable[bytes]) -> int:
        """The length of the longest line."""
        longest = 0
        with self._path.open("wb") as out:
            for part in parts:
                out.write(part)
                longest = max(longest, *map(len, part.split(b"\n")))
        return longest

    def _load(self, table: str, same: dict[str, object], chosen: dict[str, str], suffix: str, longest: int) -> None:
        kinds = tables()[table].columns
        declared = ", ".join(f"{quoted(name)}: '{kinds[name]}{suffix}'" for name in chosen)
        values = [f"? AS {quoted(name)}" for name in same]
        values += [f"{what} AS {quoted(name)}" for name, what in chosen.items()]
        # Names and types are our own; everything else is a parameter.
        statement = (
            f"INSERT INTO {table} BY NAME SELECT {', '.join(values)} FROM read_json(?, format='newline_delimited',"  # noqa: S608
            f" maximum_object_size={max(longest + 1, _LEAST_BUFFER)}, columns={{{declared}}})"
        )
        self._connection.execute(statement, [*same.values(), str(self._path)])


def _lines(rows: Iterable[object]) -> Iterator[bytes]:
    encoder = msgspec.json.Encoder()
    iterator = iter(rows)
    while some := list(islice(iterator, _ROWS_AT_ONCE)):
        yield encoder.encode_lines(some)


def _weighed(parts: Iterable[bytes]) -> Iterator[list[bytes]]:
    """The parts, as many together as one statement may add."""
    some: list[bytes] = []
    for part in parts:
        some.append(part)
        if sum(map(len, some)) > _BYTES_OF_A_STATEMENT:
            yield some
            some = []
    if some:
        yield some


def _slices(columns: "dict[str, array[Any]]") -> Iterator[bytes]:
    encoder = msgspec.json.Encoder()
    for start in range(0, len(next(iter(columns.values()))), _VALUES_AT_ONCE):
        part = {name: column[start : start + _VALUES_AT_ONCE].tolist() for name, column in columns.items()}
        yield encoder.encode(part) + b"\n"


def fetched(connection: Any, table: str, names: Iterable[str], where: str, *given: object) -> list[dict[str, Any]]:  # noqa: ANN401
    """Rows of a table as mappings without what is null, in the order in which they were added.

    A file that an older version wrote may lack a column: its rows have the default.
    """
    there = {row[0] for row in connection.execute(_THERE, [table]).fetchall()}
    names = [name for name in names if name in there]
    if not names:
        return []
    chosen = ", ".join(map(quoted, names))
    result = connection.execute(f"SELECT {chosen} FROM {table} WHERE {where} ORDER BY rowid", given)  # noqa: S608
    return [
        {name: value for name, value in zip(names, row, strict=True) if value is not None} for row in result.fetchall()
    ]


def fetched_columns(
    connection: Any,  # noqa: ANN401
    table: str,
    codes: dict[str, str],
    batch: int,
) -> "dict[str, array[Any]]":
    """Columns of a batch as arrays; an unknown time is NaN."""
    found: dict[str, array[Any]] = {name: array(code) for name, code in codes.items()}
    chosen = ", ".join(
        f"coalesce({quoted(name)}, 'nan'::DOUBLE)" if code == "d" else quoted(name) for name, code in codes.items()
    )
    result = connection.execute(f"SELECT {chosen} FROM {table} WHERE batch = ? ORDER BY rowid", [batch])  # noqa: S608
    for some in _chunks(result):
        for column, values in zip(found.values(), zip(*some, strict=True), strict=True):
            column.extend(array(column.typecode, values))
    return found


def _chunks(result: Any) -> Iterator[list[tuple[Any, ...]]]:  # noqa: ANN401
    while some := result.fetchmany(_VALUES_AT_ONCE):
        yield some
