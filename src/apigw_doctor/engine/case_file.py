"""The case file: the evidence of one incident and the answer it gave, in one DuckDB file.

It is opened for a moment at a time, never while logs are read. What is written has been redacted before.
"""

import tempfile
from array import array
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import msgspec
import zstandard

from apigw_doctor.diagnosis.verdict import Diagnosis
from apigw_doctor.engine.case_open import attach, connection
from apigw_doctor.engine.case_spool import Spool, fetched, fetched_columns
from apigw_doctor.engine.case_tables import SCHEMA_VERSION, FunctionRow, batch_tables, columns_of, row_tables, tables
from apigw_doctor.evidence import crowd as crowds
from apigw_doctor.evidence import traffic as traffics
from apigw_doctor.evidence.crowd import Crowd, FunctionTold
from apigw_doctor.evidence.tables import Evidence
from apigw_doctor.evidence.traffic import RequestPlace, Traffic


class About(msgspec.Struct, kw_only=True):
    """The file as a whole."""

    schema_version: int = SCHEMA_VERSION
    tool_version: str
    created_at: str
    #: "secrets" or "secrets, people": what was taken out before it was written
    redaction: str
    #: tells one key of `--anonymize` from another
    key_print: str | None = None
    #: counts what was added and removed
    revision: int = 0


class Source(msgspec.Struct, frozen=True, kw_only=True):
    """One input as it was when it was read."""

    name: str
    size: int
    modified_ns: int | None = None
    sha256: str
    batch: int = 0


class Batch(msgspec.Struct, kw_only=True):
    """What one reading yielded."""

    read_at: str
    tool_version: str
    #: access-log formats that were known
    formats: tuple[str, ...]
    sources: list[Source]
    evidence: Evidence
    #: what joins each of the evidence's requests to other batches, as JSON
    facts: list[bytes]
    batch: int = 0


class CaseFile:
    """A case file that is open; made by `opened`."""

    def __init__(self, link: Any, folder: Path, *, about: About) -> None:  # noqa: ANN401 - DuckDB has no types
        self._link = link
        self._spool = Spool(link, folder)
        self.about = about

    # what there is

    def sources(self) -> list[Source]:
        """Every input that was read."""
        rows = fetched(self._link, "sources", tables()["sources"].columns, "true")
        return [msgspec.convert(row, Source) for row in rows]

    def pending(self) -> list[str]:
        """Inputs that a stopped reading did not come to."""
        return [row["name"] for row in fetched(self._link, "pending", ["name"], "true")]

    def batches(self) -> list[Batch]:
        """Everything that was read."""
        sources = self.sources()
        heads = fetched(self._link, "batches", tables()["batches"].columns, "true")
        return [self._batch(head, [one for one in sources if one.batch == head["batch"]]) for head in heads]

    def unread_batches(self) -> dict[int, tuple[str, ...]]:
        """Batches with lines that could not be read -> the access-log formats that were known then."""
        result = self._link.execute(
            "SELECT batch, formats FROM batches SEMI JOIN unread USING (batch) ORDER BY batch"
        ).fetchall()
        return {batch: tuple(formats) for batch, formats in result}

    def stage_formats(self) -> set[str]:
        """Access-log formats that the configuration in the file names."""
        rows = self._link.execute("SELECT DISTINCT access_log_format FROM stages").fetchall()
        return {row[0] for row in rows if row[0]}

    def counts(self) -> dict[str, int]:
        """How many rows each table has."""
        return {
            name: self._link.execute(f"SELECT count(*) FROM {name}").fetchone()[0]  # noqa: S608 - our own names
            for name in tables()
        }

    def answer(self, tool_version: str) -> Diagnosis | None:
        """The stored answer, if this version of the tool gave it for what the file holds now."""
        row = self._link.execute(
            "SELECT body FROM answer WHERE tool_version = ? AND revision = ?", [tool_version, self.about.revision]
        ).fetchone()
        if row is None:
            return None
        kept = msgspec.msgpack.decode(zstandard.decompress(row[0]), type=Diagnosis)
        return msgspec.structs.replace(kept, verdicts=tuple(kept.verdicts))

    # changes

    @contextmanager
    def change(self) -> Iterator[None]:
        """All that is done inside, or nothing."""
        self._link.execute("BEGIN")
        try:
            yield
        except BaseException:
            self._link.execute("ROLLBACK")
            raise
        self._link.execute("COMMIT")

    def add(self, batch: Batch) -> int:
        """Add what was read; the number of the new batch."""
        number = self._link.execute("SELECT coalesce(max(batch), 0) + 1 FROM batches").fetchone()[0]
        head = {
            "read_at": batch.read_at,
            "tool_version": batch.tool_version,
            "formats": batch.formats,
            "unjoined_records": batch.evidence.unjoined_records,
            "notes": batch.evidence.notes,
        }
        self._spool.rows("batches", [head], batch=number)
        self._spool.rows("sources", batch.sources and map(_without_batch, batch.sources), batch=number)
        for name in row_tables():
            rows = getattr(batch.evidence, name)
            self._spool.rows(name, _with_facts(rows, batch.facts) if name == "requests" else rows, batch=number)
        self._add_traffic(batch.evidence.traffic, number)
        self._add_crowd(batch.evidence.crowd, number)
        self._changed()
        return int(number)

    def remove(self, numbers: Iterable[int]) -> None:
        """Forget batches, with all their rows."""
        for number in numbers:
            for name in batch_tables():
                self._link.execute(f"DELETE FROM {name} WHERE batch = ?", [number])  # noqa: S608 - our own names
        self._changed()

    def note(self, number: int, text: str) -> None:
        """Add an assumption that holds for the whole answer."""
        statement = "UPDATE batches SET notes = list_append(notes, ?) WHERE batch = ? AND NOT list_contains(notes, ?)"
        self._link.execute(statement, [text, number, text])
        self._changed()

    def set_pending(self, names: Iterable[str]) -> None:
        """Note what is still to be read."""
        self._link.execute("DELETE FROM pending")
        self._spool.rows("pending", [{"name": name} for name in names])

    def set_answer(self, diagnosis: Diagnosis, tool_version: str) -> None:
        """Keep an answer to all that the file holds."""
        for name in ("answer", "verdicts", "coverage"):
            self._link.execute(f"DELETE FROM {name}")  # noqa: S608 - our own names
        body = zstandard.compress(msgspec.msgpack.encode(diagnosis), 3)
        self._link.execute("INSERT INTO answer VALUES (?, ?, ?)", [tool_version, self.about.revision, body])
        self._spool.rows("verdicts", diagnosis.verdicts)
        self._spool.rows("coverage", diagnosis.coverage)

    def _changed(self) -> None:
        self.about.revision += 1
        self._link.execute("UPDATE case_file SET revision = ?", [self.about.revision])
        for name in ("answer", "verdicts", "coverage"):
            self._link.execute(f"DELETE FROM {name}")  # noqa: S608 - our own names

    # one batch

    def _batch(self, head: dict[str, Any], sources: list[Source]) -> Batch:
        number = head["batch"]
        evidence = Evidence(
            notes=head.get("notes", []),
            unjoined_records=head.get("unjoined_records", 0),
            traffic=self._traffic(number),
            crowd=self._crowd(number),
        )
        for name, kind in row_tables().items():
            rows = fetched(self._link, name, columns_of(kind), "batch = ?", number)
            setattr(evidence, name, msgspec.convert(rows, list[kind]))  # type: ignore[valid-type]
        facts = fetched(self._link, "requests", ["facts"], "batch = ?", number)
        return Batch(
            read_at=head["read_at"],
            tool_version=head["tool_version"],
            formats=tuple(head.get("formats", ())),
            sources=sources,
            evidence=evidence,
            facts=[row["facts"].encode() for row in facts],
            batch=number,
        )

    def _add_traffic(self, traffic: Traffic, number: int) -> None:
        columns = {name: getattr(traffic, name) for name in traffics.COLUMNS}
        self._spool.columns("traffic", columns, batch=number)
        places = [{"number": at, **msgspec.to_builtins(place)} for at, place in enumerate(traffic.places)]
        self._spool.rows("places", places, batch=number)

    def _traffic(self, number: int) -> Traffic:
        found = Traffic()
        for row in fetched(self._link, "places", columns_of(RequestPlace), "batch = ?", number):
            found.number(msgspec.convert(row, RequestPlace))
        for name, column in fetched_columns(self._link, "traffic", traffics.COLUMNS, number).items():
            setattr(found, name, column)
        return found

    def _add_crowd(self, crowd: Crowd, number: int) -> None:
        columns = {name: getattr(crowd, name) for name in crowds.COLUMNS}
        self._spool.columns("crowd", columns, batch=number)
        told = [_told_row(at, one) for at, one in enumerate(crowd.functions)]
        self._spool.rows("crowd_functions", told, batch=number)
        for at, one in enumerate(crowd.functions):
            for shape, gaps in one.calls.items():
                self._spool.columns("crowd_calls", {"gap_ms": gaps}, batch=number, function=at, shape=shape)

    def _crowd(self, number: int) -> Crowd:
        found = Crowd()
        for row in fetched(self._link, "crowd_functions", columns_of(FunctionRow), "batch = ?", number):
            told = msgspec.structs.asdict(msgspec.convert(row, FunctionRow))
            told["init_types"] = set(told["init_types"])
            found.functions[found.number(told["name"])] = FunctionTold(**told, calls={})
        calls = self._link.execute(
            "SELECT function, shape, list(gap_ms ORDER BY rowid), min(rowid) AS first FROM crowd_calls WHERE batch = ?"
            " GROUP BY function, shape ORDER BY first",
            [number],
        ).fetchall()
        for at, shape, gaps, _ in calls:
            found.functions[at].calls[shape] = array("d", gaps)
        for name, column in fetched_columns(self._link, "crowd", crowds.COLUMNS, number).items():
            setattr(found, name, column)
        return found


def _without_batch(source: Source) -> dict[str, Any]:
    row = msgspec.structs.asdict(source)
    del row["batch"]
    return row


def _with_facts(rows: list[Any], facts: list[bytes]) -> Iterator[dict[str, Any]]:
    for row, known in zip(rows, facts, strict=True):
        yield msgspec.structs.asdict(row) | {"facts": msgspec.Raw(known)}


def _told_row(at: int, told: FunctionTold) -> dict[str, Any]:
    row = {name: getattr(told, name) for name in FunctionRow.__struct_fields__}
    return row | {"number": at, "init_types": sorted(told.init_types)}


@contextmanager
def opened(path: Path, *, new: About | None = None, write: bool = False) -> Iterator[CaseFile]:
    """A case file, open for reading or (with `write`) for changes; `new` makes one where there is none.

    Raises:
        CaseFileError: when it cannot be opened, or is none that this version can use.
    """
    with tempfile.TemporaryDirectory(prefix="apigw-doctor-") as folder, connection(Path(folder)) as link:
        about = attach(link, path, Path(folder), write=write, new=None if new is None else msgspec.structs.asdict(new))
        yield CaseFile(link, Path(folder), about=msgspec.convert(about, About))
