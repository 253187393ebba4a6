"""A case file gives back what was put in, keeps no half of a change, and is refused in one sentence."""

import math
import subprocess
import sys
import types
import typing
from array import array
from enum import Enum
from functools import partial
from pathlib import Path
from typing import Any

import duckdb
import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from apigw_doctor.engine.case_file import About, Batch, Source, opened
from apigw_doctor.engine.case_open import CaseFileError, refusal
from apigw_doctor.engine.case_tables import FunctionRow, row_tables, tables
from apigw_doctor.evidence import crowd as crowds
from apigw_doctor.evidence import traffic as traffics
from apigw_doctor.evidence.crowd import Crowd, FunctionTold
from apigw_doctor.evidence.tables import Evidence, Gap
from apigw_doctor.evidence.traffic import RequestPlace, Traffic

ABOUT = About(tool_version="9.9.9", created_at="2026-03-01T00:00:00.000Z", redaction="secrets")
TEXTS = st.text(st.characters(codec="utf-8"), max_size=12) | st.sampled_from(
    ["", "NULL", "null", "1", '{"a": 1}', "\0"]
)
TIMES = st.floats(allow_nan=False, allow_infinity=False)
_LIMITS = {"Q": 2**64 - 1, "I": 2**32 - 1, "H": 2**16 - 1, "B": 255}


def values_of(hint: Any) -> st.SearchStrategy[Any]:
    """Any value of a row's field."""
    origin, parts = typing.get_origin(hint), typing.get_args(hint)
    if origin in (types.UnionType, typing.Union):
        return st.one_of(*(st.none() if part is type(None) else values_of(part) for part in parts))
    if origin is tuple:
        return st.lists(values_of(parts[0]), max_size=3).map(tuple)
    if issubclass(hint, Enum):
        return st.sampled_from(list(hint))
    if issubclass(hint, msgspec.Struct):
        return rows_of(hint)
    found: dict[type, st.SearchStrategy[Any]] = {
        bool: st.booleans(),
        int: st.integers(-(2**63), 2**63 - 1),
        float: TIMES,
        str: TEXTS,
    }
    return found[hint]


def rows_of(kind: type[msgspec.Struct]) -> st.SearchStrategy[Any]:
    """Any row of this kind."""
    return st.builds(kind, **{field.name: values_of(field.type) for field in msgspec.structs.fields(kind)})


def columns_of(codes: dict[str, str], length: int) -> st.SearchStrategy[dict[str, "array[Any]"]]:
    """Columns of one length, unknown times among them."""
    return st.fixed_dictionaries(
        {
            name: st.lists(
                st.just(math.nan) | TIMES if code == "d" else st.integers(0, _LIMITS[code]),
                min_size=length,
                max_size=length,
            ).map(partial(array, code))
            for name, code in codes.items()
        }
    )


@st.composite
def traffic(draw: st.DrawFn) -> Traffic:
    found = Traffic()
    for place in draw(st.lists(rows_of(RequestPlace), max_size=3)):
        found.number(place)
    for name, column in draw(columns_of(traffics.COLUMNS, draw(st.integers(0, 4)))).items():
        setattr(found, name, column)
    return found


@st.composite
def crowd(draw: st.DrawFn) -> Crowd:
    found = Crowd()
    for name in draw(st.lists(st.none() | TEXTS, max_size=2, unique=True)):
        calls = draw(st.dictionaries(TEXTS, st.lists(TIMES, min_size=1, max_size=3), max_size=2))
        told = FunctionTold(
            name,
            {shape: array("d", gaps) for shape, gaps in calls.items()},
            draw(st.integers(0, 9)),
            draw(st.integers(0, 9)),
            draw(st.none() | TIMES),
            init_types=set(draw(st.lists(TEXTS, max_size=2))),
        )
        found.functions[found.number(name)] = told
    for name, column in draw(columns_of(crowds.COLUMNS, draw(st.integers(0, 4)))).items():
        setattr(found, name, column)
    return found


def evidence() -> st.SearchStrategy[Evidence]:
    return st.builds(
        Evidence,
        **{name: st.lists(rows_of(kind), max_size=2) for name, kind in row_tables().items()},
        notes=st.lists(TEXTS, max_size=2),
        traffic=traffic(),
        crowd=crowd(),
        unjoined_records=st.integers(0, 9),
    )


def batch_of(given_evidence: Evidence, *names: str) -> Batch:
    return Batch(
        read_at="2026-03-01T00:00:00.000Z",
        tool_version="9.9.9",
        formats=("$context.requestId",),
        sources=[Source(name=name, size=1, modified_ns=2, sha256=name) for name in names],
        evidence=given_evidence,
        facts=[b'{"status":504}' for _ in given_evidence.requests],
    )


def plain(found: Evidence) -> Any:
    """Comparable: unknown times are equal, columns are tuples."""
    rest = {name: getattr(found, name) for name in found.__struct_fields__ if name not in ("traffic", "crowd")}
    told = [
        (one.name, {shape: list(gaps) for shape, gaps in one.calls.items()}, one.with_tail, one.silent_tail, one.until)
        for one in found.crowd.functions
    ]
    kinds = [one.init_types for one in found.crowd.functions]
    columns = [
        [None if value != value else value for value in getattr(part, name)]
        for part, codes in ((found.traffic, traffics.COLUMNS), (found.crowd, crowds.COLUMNS))
        for name in codes
    ]
    return rest, found.traffic.places, told, kinds, columns


@settings(
    max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)
@given(first=evidence(), second=evidence())
def test_every_evidence_comes_back_as_it_went_in(tmp_path: Path, first: Evidence, second: Evidence) -> None:
    """Every type of row, columns, nested rows, null and text that looks like something else."""
    path = tmp_path / "case.duckdb"
    path.unlink(missing_ok=True)
    with opened(path, new=ABOUT, write=True) as file, file.change():
        file.add(batch_of(first, "a"))
        file.add(batch_of(second, "b", "c"))
    with opened(path) as file:
        one, other = file.batches()
    assert plain(one.evidence) == plain(first)
    assert plain(other.evidence) == plain(second)
    assert [source.name for source in other.sources] == ["b", "c"]
    assert one.facts == [b'{"status":504}' for _ in first.requests]


def test_function_rows_have_all_that_functions_told() -> None:
    """A new field needs a column."""
    assert FunctionRow.__struct_fields__ == tuple(n for n in FunctionTold.__struct_fields__ if n != "calls")


@pytest.fixture
def path(tmp_path: Path) -> Path:
    found = tmp_path / "it's a case.duckdb"
    with opened(found, new=ABOUT, write=True) as file, file.change():
        file.add(batch_of(Evidence(gaps=[Gap(origin="x", reason="y")]), "a"))
    return found


def test_a_change_that_fails_leaves_nothing_behind(path: Path) -> None:
    """A batch is there whole or not at all."""
    with opened(path, write=True) as file, pytest.raises(ZeroDivisionError), file.change():  # noqa: PT012
        file.add(batch_of(Evidence(gaps=[Gap(origin="z", reason="y")]), "b"))
        raise ZeroDivisionError
    with opened(path) as file:
        assert [source.name for source in file.sources()] == ["a"]
        assert len(file.batches()[0].evidence.gaps) == 1


def test_removing_a_batch_takes_its_rows_and_the_answer(path: Path) -> None:
    with opened(path, write=True) as file, file.change():
        file.remove([1])
    with opened(path) as file:
        counts = file.counts()
        assert file.about.revision == 2
    assert {name: count for name, count in counts.items() if count} == {"case_file": 1}


def test_a_file_of_an_older_version_without_a_column_is_read_and_completed(path: Path) -> None:
    """Fields are added to rows from time to time."""
    with duckdb.connect(str(path)) as link:
        link.execute("ALTER TABLE gaps DROP COLUMN remedy")
        link.execute("DROP TABLE targets")
    with opened(path) as file:
        assert file.batches()[0].evidence.gaps == [Gap(origin="x", reason="y")]
    with opened(path, write=True) as file, file.change():
        file.add(batch_of(Evidence(gaps=[Gap(origin="z", reason="y", remedy="w")]), "b"))
    with opened(path) as file:
        assert file.batches()[1].evidence.gaps[0].remedy == "w"


def test_older_versions_of_duckdb_read_it(path: Path) -> None:
    """A colleague opens it with whatever is at hand."""
    with duckdb.connect() as link:
        link.execute(f"ATTACH '{str(path).replace(chr(39), chr(39) * 2)}' AS it (READ_ONLY)")
        tags = link.execute("SELECT tags FROM duckdb_databases() WHERE database_name = 'it'").fetchone()
        texts = dict(
            link.execute("SELECT table_name, comment FROM duckdb_tables() WHERE database_name = 'it'").fetchall()
        )
    assert tags is not None
    assert tags[0]["storage_version"].startswith("v1.0.0")
    assert texts == {name: table.text for name, table in tables().items()}


# refusals


def refused(path: Path, *, write: bool = False) -> str:
    with pytest.raises(CaseFileError) as caught, opened(path, write=write):
        pass
    assert "\n" not in caught.value.message
    return f"{caught.value.message}; {caught.value.hint}"


def test_a_file_that_is_none_is_refused(tmp_path: Path) -> None:
    """Missing, a folder, text, another DuckDB file."""
    assert "no such case file" in refused(tmp_path / "missing.duckdb")
    assert "is a folder" in refused(tmp_path)
    (tmp_path / "text").write_text("hello\n" * 5000, encoding="utf-8")
    assert "is no case file" in refused(tmp_path / "text")
    with duckdb.connect(str(tmp_path / "other.duckdb")) as link:
        link.execute("CREATE TABLE t (i INTEGER)")
    assert "no case file of apigw-doctor" in refused(tmp_path / "other.duckdb")


def test_another_version_of_the_tables_is_refused_with_the_version_that_wrote_it(path: Path) -> None:
    with duckdb.connect(str(path)) as link:
        link.execute("UPDATE case_file SET schema_version = 7, tool_version = '4.2.0'")
    words = refused(path)
    assert "has tables of version 7, and this apigw-doctor reads version 1" in words
    assert "apigw-doctor 4.2.0" in words


def test_a_newer_storage_version_is_named() -> None:
    """As DuckDB says it of files that 2.0 wrote in its own format."""
    words = "IO Error: Trying to read a database file with version number 999, but we can only read versions between 64"
    error = refusal(Path("x.duckdb"), words)
    assert error.message == "x.duckdb was written by a newer DuckDB (storage version 999)"
    assert "upgrade duckdb" in error.hint


def test_a_damaged_file_is_refused(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[12:20] = (999).to_bytes(8, "little")
    path.write_bytes(data)
    assert "is damaged" in refused(path)


def test_a_file_that_another_process_writes_is_refused(path: Path) -> None:
    code = "import duckdb, sys; link = duckdb.connect(sys.argv[1]); print('open', flush=True); sys.stdin.read()"
    with subprocess.Popen(
        [sys.executable, "-c", code, str(path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as other:
        assert other.stdout is not None
        assert other.stdin is not None
        assert other.stdout.readline() == b"open\n"
        assert "is open in another process" in refused(path)
        assert "is open in another process" in refused(path, write=True)
        other.stdin.close()


def test_a_file_from_somebody_else_reaches_nothing_outside(path: Path, tmp_path: Path) -> None:
    """A table may be a view that reads what it should not."""
    (tmp_path / "private.csv").write_text("origin,reason\nhome,secret\n", encoding="utf-8")
    with duckdb.connect(str(path)) as link:
        link.execute("DROP TABLE gaps")
        link.execute(
            f"CREATE VIEW gaps AS SELECT 1 AS batch, origin, NULL AS evidence, reason, '' AS remedy, 1 AS rowid"
            f" FROM read_csv('{tmp_path}/private.csv')"
        )
    with pytest.raises(CaseFileError) as caught, opened(path) as file:
        file.batches()
    assert "secret" not in caught.value.message
