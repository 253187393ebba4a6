"""Reads files by both readers and tells where they differ."""

import os
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from unittest import mock

import msgspec
import pytest

from apigw_doctor.attribution import inconspicuous, unremarkable
from apigw_doctor.evidence.crowd import Crowd
from apigw_doctor.evidence.tables import Evidence, GatewayRequest, LambdaInvocation
from apigw_doctor.evidence.traffic import Traffic
from apigw_doctor.model.watch import Silent
from apigw_doctor.sources.bulk import Bulk, Unfit
from apigw_doctor.sources.file_reader import FileReader
from apigw_doctor.sources.lambda_sweep import Disordered
from apigw_doctor.sources.native import native
from apigw_doctor.sources.payload import Payloads
from apigw_doctor.sources.portions import Pieces
from apigw_doctor.sources.reading import find_inputs
from apigw_doctor.sources.slow import TooShort
from apigw_doctor.sources.survey import Surveyed, survey

NATIVE, PYTHON = "native", "python"


@contextmanager
def in_way(way: str) -> Iterator[None]:
    """The fast roads do their line work in C, or in Python."""
    with mock.patch.dict(os.environ, {"APIGW_DOCTOR_NATIVE": "0" if way == PYTHON else "1"}):
        if way == NATIVE and native() is None:
            pytest.skip("the native part was not built")
        yield


@pytest.fixture(scope="module", params=(NATIVE, PYTHON))
def way(request: pytest.FixtureRequest) -> Iterator[str]:
    """Runs a test in both ways, where it is marked with `BOTH_WAYS` and its module imports this."""
    with in_way(request.param):
        yield request.param


BOTH_WAYS = pytest.mark.usefixtures("way")
WHOLE = Pieces(processes=1, part_bytes=10**9, block_bytes=1 << 20)


class Alike(msgspec.Struct, frozen=True):
    """How closely the readings have to agree."""

    #: also what is kept of the lines, and what only late or early lines of a request tell
    every_line: bool = True
    #: lines that begin as all others do, but for a time that cannot be read
    bad_times: int = 0


def tolerant(folder: Path) -> Evidence:
    """What the tolerant reader makes of the files."""
    payloads = Payloads()
    for source in find_inputs((str(folder),)):
        FileReader(source, payloads).read()
    return payloads.finish()


def fast(folder: Path, pieces: Pieces, clean: Surveyed | None = None) -> Evidence:
    """What the fast roads make of them; `clean` tells the road to take."""
    surveyed = [_on_road(survey(source), clean) for source in find_inputs((str(folder),))]
    slow_from_ms = 2000.0
    while True:
        try:
            return Bulk(surveyed, Payloads(), Silent(), slow_from_ms, pieces).collect()
        except Disordered:
            pieces = msgspec.structs.replace(pieces, lambda_sweeps=False)
        except Unfit as unfit:
            surveyed = [one.tolerantly() if one.source.name in unfit.names else one for one in surveyed]
        except TooShort as short:
            slow_from_ms = short.slow_from_ms


def surveyed(path: Path, data: bytes) -> Surveyed:
    """What the survey says of a file with this content."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)
    return survey(find_inputs((str(path),))[0])


def _on_road(one: Surveyed, clean: Surveyed | None) -> Surveyed:
    if clean is None:
        return one
    return msgspec.structs.replace(one, road=clean.road, layout=clean.layout)


def differences(one: Evidence, other: Evidence, alike: Alike) -> list[object]:
    """Where the second reading, in bulk, does not say what the first one says."""
    return [
        *_requests(one, other, alike),
        *_invocations(one, other),
        *_unread(one, other, alike),
    ]


def _requests(one: Evidence, other: Evidence, alike: Alike) -> Iterator[object]:
    rows = Counter(_bare(row, alike) for row in other.requests)
    traffic = Traffic()
    for row in one.requests:
        bare = _bare(row, alike)
        if rows[bare]:
            rows[bare] -= 1
        elif unremarkable.unremarkable(row):
            unremarkable.note(traffic, row)
        else:
            yield "missing", row
    yield from (("not in the file", bare) for bare in rows.elements())
    expected, given = (Counter(map(alike_of(alike), found.records())) for found in (traffic, other.traffic))
    yield from (("missing in the traffic", entry) for entry in expected - given)
    yield from (("extra in the traffic", entry) for entry in given - expected)


def alike_of(alike: Alike) -> Any:
    """What of an entry has to be equal: not what lines told that came late, or whose time was damaged."""
    if alike.bad_times:
        return lambda entry: (entry[0], *entry[5:8])
    return tuple if alike.every_line else lambda entry: (*entry[:2], *entry[3:8])


def _bare(row: GatewayRequest, alike: Alike) -> bytes:
    value: dict[str, Any] = msgspec.to_builtins(row)
    del value["key"], value["sources"]
    failed = (row.status or 500) >= 500 or row.failure is not None or row.response_type is not None
    cites = value.pop("cites")
    if alike.bad_times:
        value["endpoint_body"] = None
    elif failed and alike.every_line:  # of a good answer nothing is worth keeping
        value["cites"] = sorted(map(str, cites))
    return msgspec.json.encode(value)


def _invocations(one: Evidence, other: Evidence) -> Iterator[object]:
    rows = Counter(_bare_invocation(row) for row in other.invocations)
    crowd = Crowd()
    for row in one.invocations:
        bare = _bare_invocation(row)
        if rows[bare]:
            rows[bare] -= 1
        elif inconspicuous.inconspicuous(row):
            inconspicuous.note(crowd, row)
        else:
            yield "missing", row
    yield from (("not in the file", bare) for bare in rows.elements())
    expected, given = Counter(crowd.records()), Counter(other.crowd.records())
    yield from (("missing in the crowd", entry) for entry in expected - given)
    yield from (("extra in the crowd", entry) for entry in given - expected)


def _bare_invocation(row: LambdaInvocation) -> bytes:
    value: dict[str, Any] = msgspec.to_builtins(row)
    value["cites"] = sorted(map(str, value["cites"]))
    return msgspec.json.encode(value)


_NO_LINE = "no line of a known log"
#: What an element of a document is called when it is looked at alone.
_ENTRY, _ALONE = "an entry of a document that holds nothing known", "JSON of no kind that is known"


def _unread(one: Evidence, other: Evidence, alike: Alike) -> Iterator[object]:
    counts: list[Counter[str]] = []
    for evidence in (one, other):
        counts.append(Counter())
        for row in evidence.unread:
            counts[-1][_ALONE if row.reason == _ENTRY else row.reason] += row.lines
    if abs(counts[0][_NO_LINE] - counts[1][_NO_LINE]) <= alike.bad_times:
        counts[1][_NO_LINE] = counts[0][_NO_LINE]
    if +counts[0] != +counts[1]:
        yield "unread", *counts
    lines = [sum(file.lines for file in evidence.files) for evidence in (one, other)]
    if lines[0] != lines[1]:
        yield "lines", *lines
