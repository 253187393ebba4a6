"""Opening a case file, and saying in one sentence why it cannot be opened."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from apigw_doctor.engine.case_tables import SCHEMA_VERSION, quoted, tables
from apigw_doctor.model.errors import DoctorError

#: Read by every DuckDB since 1.1, so also by the command line that a colleague happens to have.
STORAGE_VERSION = "v1.0.0"
#: Two dozen tables, most of them small: blocks of the usual 256 kB would make 4 MB of an empty file.
_BLOCK_BYTES = 16_384
_MEMORY = "128MB"


class CaseFileError(DoctorError):
    """The case file cannot be used."""


@contextmanager
def connection(folder: Path) -> Iterator[Any]:
    """A DuckDB that loads no extension and keeps what it spills in `folder`."""
    import duckdb

    link = duckdb.connect(
        config={
            "memory_limit": _MEMORY,
            "threads": 1,  # each takes 32 MB to read JSON
            "temp_directory": str(folder),
            "autoinstall_known_extensions": False,
            "autoload_known_extensions": False,
        }
    )
    try:
        yield link
    except duckdb.Error as error:
        raise CaseFileError(f"the case file cannot be used: {_first(error)}", "write it again from the logs") from error
    finally:
        link.close()


def attach(
    link: Any,  # noqa: ANN401 - DuckDB has no types
    path: Path,
    folder: Path,
    *,
    write: bool,
    new: dict[str, Any] | None,
) -> dict[str, Any]:
    """Open the file at `path` and make it the one that statements are about; what it says of itself.

    Raises:
        CaseFileError: when it cannot be opened, or is none that this version can use.
    """
    if new is None and not path.exists():
        raise CaseFileError(f"{path}: no such case file", f"apigw-doctor diagnose PATH... --case {path} makes one")
    if path.is_dir():
        raise CaseFileError(f"{path} is a folder", "name the case file: --case incident.duckdb")
    _attach(link, path, write=write)
    # A file from somebody else may hold anything: it can reach nothing but itself.
    link.execute(f"SET allowed_directories = [{text_of(str(folder))}]")
    link.execute("SET enable_external_access = false")
    found = link.execute("SELECT table_name FROM duckdb_tables() WHERE database_name = 'kase'").fetchall()
    names = {row[0] for row in found}
    if not names and new is not None:
        _make(link, new)
    elif "case_file" not in names:
        raise CaseFileError(f"{path} is a DuckDB file, but no case file of apigw-doctor", "name another file")
    about = _about(link, path)
    if write:
        _complete(link)
    return about


def _attach(link: Any, path: Path, *, write: bool) -> None:  # noqa: ANN401
    import duckdb

    fresh = f" (STORAGE_VERSION '{STORAGE_VERSION}', BLOCK_SIZE {_BLOCK_BYTES})" if not path.exists() else ""
    try:
        link.execute(f"ATTACH {text_of(str(path))} AS kase{fresh if write else ' (READ_ONLY)'}")
        link.execute("USE kase")
    except duckdb.Error as error:
        raise refusal(path, str(error)) from error


def refusal(path: Path, words: str) -> CaseFileError:
    """Why DuckDB did not open a file, in one sentence."""
    if "lock" in words and "onflicting" in words:
        return CaseFileError(f"{path} is open in another process", "close it there, or wait until it is done")
    if (version := re.search(r"version number (\d+)", words)) is not None:
        return CaseFileError(
            f"{path} was written by a newer DuckDB (storage version {version[1]})",
            "pip install --upgrade duckdb, or write it again from the logs",
        )
    if "orrupt" in words:
        return CaseFileError(f"{path} is damaged", "write it again from the logs")
    if "not a valid DuckDB" in words:
        return CaseFileError(f"{path} is no case file", "name another file; one that does not exist yet is made")
    return CaseFileError(f"{path}: cannot be opened: {_first(words)}", "check the path and its permissions")


def _first(words: object) -> str:
    return next(iter(str(words).splitlines()), "unknown error")


def _make(link: Any, new: dict[str, Any]) -> None:  # noqa: ANN401
    link.execute("BEGIN")
    for table in tables().values():
        link.execute(table.definition())
        link.execute(f"COMMENT ON TABLE {table.name} IS {text_of(table.text)}")
    names = ", ".join(map(quoted, new))
    marks = ", ".join("?" for _ in new)
    link.execute(f"INSERT INTO case_file ({names}) VALUES ({marks})", list(new.values()))  # noqa: S608 - our own names
    link.execute("COMMIT")


def _about(link: Any, path: Path) -> dict[str, Any]:  # noqa: ANN401
    result = link.execute("SELECT * FROM case_file")
    about = dict(zip((column[0] for column in result.description), result.fetchone() or (), strict=False))
    version, tool = about.get("schema_version"), about.get("tool_version")
    if version != SCHEMA_VERSION:
        raise CaseFileError(
            f"{path} has tables of version {version}, and this apigw-doctor reads version {SCHEMA_VERSION}",
            f"it was written by apigw-doctor {tool}: use that version, or write it again from the logs",
        )
    return about


def _complete(link: Any) -> None:  # noqa: ANN401
    """Tables and columns that this version knows and an older one did not."""
    known = "SELECT table_name, column_name FROM duckdb_columns() WHERE database_name = 'kase'"
    there = set(link.execute(known).fetchall())
    for table in tables().values():
        missing = [name for name in table.columns if (table.name, name) not in there]
        if len(missing) == len(table.columns):
            link.execute(table.definition())
            continue
        for name in missing:
            link.execute(f"ALTER TABLE {table.name} ADD COLUMN {quoted(name)} {table.columns[name]}")


def text_of(text: str) -> str:
    """A text as SQL wants it, where no parameter can stand."""
    return "'" + text.replace("'", "''") + "'"
