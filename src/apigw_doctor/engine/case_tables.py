"""The tables of a case file, made from the row types: one truth for the code, the file and the documentation.

>>> sql_type(float | None), sql_type(tuple[str, ...])
('DOUBLE', 'VARCHAR[]')
>>> row_tables()["gaps"].__name__
'Gap'
"""

import types
import typing
from enum import Enum
from functools import cache
from typing import Any

import msgspec

from apigw_doctor.diagnosis.verdict import Coverage, Verdict
from apigw_doctor.evidence import crowd, traffic
from apigw_doctor.evidence.tables import Evidence, Row

#: Tables and columns may be added within a version; a file of another version is refused.
SCHEMA_VERSION = 1
#: Type code of `array` -> type of the column.
_CODES = {"Q": "UBIGINT", "I": "UINTEGER", "H": "USMALLINT", "B": "UTINYINT", "d": "DOUBLE"}
_PLAIN: tuple[tuple[type, str], ...] = ((bool, "BOOLEAN"), (int, "BIGINT"), (float, "DOUBLE"), (str, "VARCHAR"))


class FunctionRow(msgspec.Struct):
    """`evidence.crowd.FunctionTold` without the calls, which have a table of their own."""

    name: str | None = None
    with_tail: int = 0
    silent_tail: int = 0
    until: float | None = None
    init_types: tuple[str, ...] = ()


class Table(msgspec.Struct, frozen=True):
    """A table: what it holds, and its columns with their types."""

    name: str
    text: str
    columns: dict[str, str]

    def definition(self) -> str:
        """The statement that makes it."""
        columns = ", ".join(f"{quoted(name)} {kind}" for name, kind in self.columns.items())
        return f"CREATE TABLE {self.name} ({columns})"

    def pretty(self) -> str:
        """The same, one line a column."""
        columns = ",\n".join(f"    {quoted(name)} {kind}" for name, kind in self.columns.items())
        return f"CREATE TABLE {self.name} (\n{columns}\n)"


def quoted(name: str) -> str:
    """A name as SQL wants it; ours hold no quotes."""
    return f'"{name}"'


def sql_type(hint: Any) -> str:  # noqa: ANN401 - a type hint
    """The type of a column that holds values of this Python type."""
    origin = typing.get_origin(hint)
    if origin in (types.UnionType, typing.Union):
        return sql_type(next(part for part in typing.get_args(hint) if part is not type(None)))
    if origin in (tuple, list):
        return f"{sql_type(typing.get_args(hint)[0])}[]"
    if origin is typing.Literal or (isinstance(hint, type) and issubclass(hint, Enum)):
        return "VARCHAR"
    if isinstance(hint, type) and issubclass(hint, msgspec.Struct):
        return f"STRUCT({', '.join(f'{quoted(name)} {kind}' for name, kind in columns_of(hint).items())})"
    for python, sql in _PLAIN:
        if hint is python:
            return sql
    raise TypeError(hint)


def columns_of(kind: type[msgspec.Struct]) -> dict[str, str]:
    """Column -> type, for rows of this kind."""
    return {field.encode_name: sql_type(field.type) for field in msgspec.structs.fields(kind)}


@cache
def row_tables() -> dict[str, type[Row]]:
    """Field of `Evidence` -> the kind of rows that it holds."""
    found: dict[str, type[Row]] = {}
    for field in msgspec.structs.fields(Evidence):
        kinds = typing.get_args(field.type)
        if kinds and isinstance(kinds[0], type) and issubclass(kinds[0], Row):
            found[field.name] = kinds[0]
    return found


@cache
def tables() -> dict[str, Table]:
    """Every table of a case file."""
    found = [*_ABOUT, *(_of_rows(name, kind) for name, kind in row_tables().items()), *_IN_COLUMNS, *_ANSWER]
    return {table.name: table for table in found}


def definitions() -> str:
    """All of them as SQL, each with what it holds."""
    return "\n\n".join(f"-- {table.text}\n{table.pretty()};" for table in tables().values())


def batch_tables() -> list[str]:
    """Tables whose rows belong to a batch."""
    return [name for name, table in tables().items() if "batch" in table.columns]


def _of_rows(name: str, kind: type[Row]) -> Table:
    more = {"facts": "JSON"} if name == "requests" else {}
    return Table(name, _sentence(kind), {"batch": "INTEGER", **columns_of(kind), **more})


def _sentence(kind: type) -> str:
    return (kind.__doc__ or "").strip().split("\n\n")[0].replace("\n    ", " ")


def _typed(columns: dict[str, str]) -> dict[str, str]:
    return {"batch": "INTEGER", **{name: _CODES[code] for name, code in columns.items()}}


_ABOUT = (
    Table(
        "case_file",
        "One row: the version of these tables, who wrote the file, and what was taken out of it.",
        {
            "schema_version": "INTEGER",
            "tool_version": "VARCHAR",
            "created_at": "VARCHAR",
            "redaction": "VARCHAR",
            "key_print": "VARCHAR",
            "revision": "BIGINT",
        },
    ),
    Table(
        "batches",
        "What was read together: the joins that only one reading can make were made inside a batch.",
        {
            "batch": "INTEGER",
            "read_at": "VARCHAR",
            "tool_version": "VARCHAR",
            "formats": "VARCHAR[]",
            "unjoined_records": "BIGINT",
            "notes": "VARCHAR[]",
        },
    ),
    Table(
        "sources",
        "The inputs of each batch; size, time and hash tell whether one has to be read again.",
        {"batch": "INTEGER", "name": "VARCHAR", "size": "BIGINT", "modified_ns": "BIGINT", "sha256": "VARCHAR"},
    ),
    Table("pending", "Inputs that were asked for and are not read yet: a reading was stopped.", {"name": "VARCHAR"}),
)
_IN_COLUMNS = (
    Table("traffic", "Requests that were answered well, without a row of their own.", _typed(traffic.COLUMNS)),
    Table(
        "places",
        "Where the requests in `traffic` went; its column `place` is the number here.",
        {"batch": "INTEGER", "number": "INTEGER", **columns_of(traffic.RequestPlace)},
    ),
    Table("crowd", "Invocations that ended well, without a row of their own.", _typed(crowd.COLUMNS)),
    Table(
        "crowd_functions",
        "What all invocations in `crowd` of one function told together; its column `function` is the number here.",
        {"batch": "INTEGER", "number": "INTEGER", **columns_of(FunctionRow)},
    ),
    Table(
        "crowd_calls",
        "How long a function was silent after lines of one shape that announce a call.",
        {"batch": "INTEGER", "function": "UINTEGER", "shape": "VARCHAR", "gap_ms": "DOUBLE"},
    ),
)
_ANSWER = (
    Table("verdicts", "The answer for every failed or near-limit request, all batches joined.", columns_of(Verdict)),
    Table("coverage", "What evidence of each kind there is.", columns_of(Coverage)),
    Table(
        "answer",
        "The whole answer (MessagePack, Zstandard), and the version of the tool that judged.",
        {"tool_version": "VARCHAR", "revision": "BIGINT", "body": "BLOB"},
    ),
)
