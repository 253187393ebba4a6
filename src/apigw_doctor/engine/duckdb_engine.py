"""DuckDB, embedded: rows go in as newline JSON, SQL files beside this module come out as rows.

DuckDB is imported when the first engine is made, so that `--help` and tiny inputs do not pay for it.
"""

import tempfile
from collections.abc import Iterable, Iterator
from importlib import resources
from itertools import islice
from pathlib import Path
from typing import Any

import msgspec


class RequestFact(msgspec.Struct, frozen=True, kw_only=True):
    """One request as set work sees it; times in epoch ms."""

    key: str
    api_id: str | None
    stage: str | None
    method: str | None
    route: str | None
    path: str | None
    client_ip: str | None
    arrived_at: float | None
    integration_ms: float | None
    status: int | None
    failed: bool
    timed_out: bool
    limit_ms: float | None
    cause: str | None


class TimesFact(msgspec.Struct, frozen=True, kw_only=True):
    """So many well-answered requests of one route took this long; times in epoch ms, of all of the route."""

    api_id: str | None
    stage: str | None
    method: str | None
    route: str | None
    integration_ms: float | None
    n: int
    first_at: float | None
    last_at: float | None


_COLUMNS = {
    str: "VARCHAR",
    float: "DOUBLE",
    int: "BIGINT",
    bool: "BOOLEAN",
}


class DuckDbEngine:
    """One in-memory database for one diagnosis; use as a context manager."""

    def __init__(self) -> None:
        import duckdb

        self._folder = tempfile.TemporaryDirectory(prefix="apigw-doctor-")
        self._connection = duckdb.connect(
            config={"memory_limit": "128MB", "threads": 2, "temp_directory": self._folder.name}
        )

    def requests(self, rows: Iterable[RequestFact]) -> None:
        """Fill the table `requests`."""
        self._fill("requests", RequestFact, rows)

    def times(self, rows: Iterable[TimesFact]) -> None:
        """Fill the table `times`."""
        self._fill("times", TimesFact, rows)

    def _fill(self, table: str, kind: type[msgspec.Struct], rows: Iterable[msgspec.Struct]) -> None:
        spool = Path(self._folder.name) / f"{table}.ndjson"
        encoder = msgspec.json.Encoder()
        with spool.open("wb") as out:
            for some in batched(rows, _AT_ONCE):
                out.write(encoder.encode_lines(some))
        columns = ", ".join(f"{field.name}: '{_sql_type(field.type)}'" for field in msgspec.structs.fields(kind))
        # The table, column names and types are our own; the path is a parameter.
        reader = "read_json(?, format='newline_delimited', columns={" + columns + "})"
        self._connection.execute(f"CREATE TABLE {table} AS SELECT * FROM {reader}", [str(spool)])  # noqa: S608

    def __enter__(self) -> "DuckDbEngine":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Let everything go."""
        self._connection.close()
        self._folder.cleanup()

    def run(self, name: str, **parameters: float) -> list[dict[str, Any]]:
        """The rows of the SQL file `name`, with named parameters."""
        sql = (
            resources.files(__package__ or "apigw_doctor.engine")
            .joinpath("sql", f"{name}.sql")
            .read_text(encoding="utf-8")
        )
        result = self._connection.execute(sql, parameters)
        names = [column[0] for column in result.description or ()]
        return [dict(zip(names, row, strict=True)) for row in result.fetchall()]


_AT_ONCE = 5000


def batched(rows: Iterable[msgspec.Struct], size: int) -> Iterator[list[msgspec.Struct]]:
    """The rows, some at once."""
    iterator = iter(rows)
    while some := list(islice(iterator, size)):
        yield some


def _sql_type(kind: Any) -> str:  # noqa: ANN401 - a type hint
    for python, sql in _COLUMNS.items():
        if kind is python or kind == python | None:
            return sql
    raise TypeError(kind)
