"""Two readers, one truth: the fast roads say of every line what the tolerant reader says.

What differs on purpose:

- In a well-answered request a line with a damaged time is not counted as unread: nobody looks at it.
- Cut into parts and blocks, the lines kept as evidence may be others, and a line that comes long after its request
  seemed complete tells nothing more.
- Lines out of order, and requests that share a plain id, are told apart only where they come in one block.
"""

from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory

import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st
from tests.sources import logs
from tests.sources.roads import BOTH_WAYS, WHOLE, Alike, differences, fast, surveyed, tolerant, way  # noqa: F401 - a fixture

from apigw_doctor.model.watch import Silent
from apigw_doctor.sources.bulk import AskedLater, Bulk
from apigw_doctor.sources.layout import KEY, Layout, Moments
from apigw_doctor.sources.payload import Payloads
from apigw_doctor.sources.portions import Pieces
from apigw_doctor.sources.reading import find_inputs
from apigw_doctor.sources.survey import Road, survey
from apigw_doctor.sources.wanted import Wanted

SEEDS = st.integers(0, 2**32)
MANY = settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
STREAM = "aws/lambda/orders-fn/2026/03/01/[$LATEST]0123456789abcdef0123456789abcdef.log"
NAMES = ("API-Gateway-Execution-Logs_a1b2c3d4e5/prod/000000.log", "execution.log")


def bad_times(data: bytes, layout: object) -> int:
    """Lines that begin as all others do, but for their time."""
    if not isinstance(layout, Layout) or not layout.timed:
        return 0
    moments = Moments(layout)
    lines = data.split(b"\n")
    return sum(KEY.match(line, layout.column) is not None and moments.of(line) is None for line in lines)


def found(data: bytes, name: str, pieces: Pieces = WHOLE, *, clean: bytes | None = None) -> list[object]:
    """Differences between the two readings of one file; `clean` is what it was before it was damaged."""
    with TemporaryDirectory() as folder:
        path = Path(folder, name)
        layout = surveyed(path, clean if clean is not None else data)
        path.write_bytes(data)
        alike = Alike(every_line=pieces == WHOLE, bad_times=bad_times(data, layout.layout))
        return differences(tolerant(Path(folder)), fast(Path(folder), pieces, layout), alike)


@BOTH_WAYS
@given(SEEDS)
@MANY
def test_damaged_execution_logs(seed: int) -> None:
    """Lines dropped, doubled, swapped, cut, garbled, and lines of other logs among them."""
    draw = Random(seed)
    lines = logs.execution_log(draw, draw.choice((1, 3, 8, 20)), 0.0, in_order=draw.random() < 0.7)
    clean = "".join(f"{line}\n" for line in lines).encode()
    assert not found(logs.damaged(draw, lines), draw.choice(NAMES), clean=clean)


@BOTH_WAYS
@given(SEEDS)
@MANY
def test_execution_logs_in_parts(seed: int) -> None:
    """Whatever stands at the cuts."""
    draw = Random(seed)
    lines = logs.execution_log(draw, draw.choice((3, 8, 20)), 0.0, in_order=True)
    pieces = Pieces(1, draw.choice((600, 3000, 20_000)), draw.choice((1000, 5000, 1 << 20)))
    assert not found("".join(f"{line}\n" for line in lines).encode(), draw.choice(NAMES), pieces)


@BOTH_WAYS
@given(SEEDS)
@MANY
def test_requests_that_share_a_plain_id(seed: int) -> None:
    """A caller can set it."""
    draw = Random(seed)
    lines = logs.execution_log(draw, draw.choice((3, 8, 20)), 0.3, in_order=True)
    assert not found("".join(f"{line}\n" for line in lines).encode(), draw.choice(NAMES))


@BOTH_WAYS
@pytest.mark.parametrize("front", [b"", b"\xef\xbb\xbf"])
@pytest.mark.parametrize("end", [b"\n", b"\r\n"])
def test_files_of_windows_take_the_fast_road_too(front: bytes, end: bytes, tmp_path: Path) -> None:
    """A mark at the beginning, and two characters at the end of a line."""
    lines = logs.execution_log(Random(1), 8, 0.0, in_order=True)
    data = front + end.join(line.encode() for line in lines) + end
    assert surveyed(tmp_path / "execution.log", data).road is Road.EXECUTION
    assert not found(data, "execution.log")


@BOTH_WAYS
@given(SEEDS)
@MANY
def test_damaged_access_logs(seed: int) -> None:
    """Records with any set of keys, some broken by quotes in their values."""
    draw = Random(seed)
    lines = logs.access_log(draw, draw.choice((2, 10, 40)), 0.0)
    clean = "".join(f"{line}\n" for line in lines).encode()
    data = logs.damaged(draw, lines, doubled=False)
    # After a colon the tolerant reader takes the next record for the value.
    assume(not any(line.rstrip().endswith(b":") for line in data.split(b"\n")))
    assert not found(data, "access.log", clean=clean)


@BOTH_WAYS
@given(SEEDS)
@MANY
def test_access_logs_in_parts(seed: int) -> None:
    """Also with requests that share a plain id."""
    draw = Random(seed)
    lines = logs.access_log(draw, draw.choice((2, 10, 40)), draw.choice((0.0, 0.2)))
    pieces = Pieces(1, draw.choice((600, 3000, 20_000)), draw.choice((1, 1000, 5000, 1 << 20)))
    assert not found("".join(f"{line}\n" for line in lines).encode(), "access.log", pieces)


@BOTH_WAYS
@given(SEEDS)
@MANY
def test_damaged_lambda_logs(seed: int) -> None:
    """Streams with inits, timeouts of both formats, restarts, values over several lines."""
    draw = Random(seed)
    lines = logs.lambda_log(draw, draw.choice((1, 4, 12)))
    clean = "".join(f"{line}\n" for line in lines).encode()
    assert not found(logs.damaged(draw, lines), STREAM, clean=clean)


@BOTH_WAYS
@given(SEEDS)
@MANY
def test_lambda_logs_in_blocks(seed: int) -> None:
    """A stream is always read as a whole."""
    draw = Random(seed)
    lines = logs.lambda_log(draw, draw.choice((1, 4, 12)))
    pieces = Pieces(1, 10**9, draw.choice((1, 1000, 5000)))
    assert not found("".join(f"{line}\n" for line in lines).encode(), STREAM, pieces)


@given(SEEDS)
@MANY
def test_large_files_read_line_by_line_keep_only_what_is_remarkable(seed: int) -> None:
    """Requests are let go while the file is read, the slow ones until the limits are known."""
    draw = Random(seed)
    lines = logs.execution_log(draw, draw.choice((3, 8, 20)), 0.0, in_order=True)
    lines = [f"{line.replace('.', ',', 1)}" if line[4:5] == "-" else line for line in lines]
    pieces = Pieces(1, large_bytes=0, sweep_every=draw.choice((3, 5, 8)))
    with TemporaryDirectory() as folder:
        path = Path(folder, draw.choice(NAMES))
        one = surveyed(path, "".join(f"{line}\n" for line in lines).encode()).tolerantly()
        evidence = fast(Path(folder), pieces, one)
        assert not differences(tolerant(Path(folder)), evidence, Alike(every_line=False))


def test_large_files_read_line_by_line_keep_few_rows(tmp_path: Path) -> None:
    """Of requests in order hardly more than between two sweeps."""
    lines = logs.execution_log(Random(3), 60, 0.0, in_order=True)
    one = surveyed(tmp_path / "execution.log", "".join(f"{line}\n" for line in lines).encode()).tolerantly()
    evidence = fast(tmp_path, Pieces(1, large_bytes=0, sweep_every=5), one)
    failed = [row for row in evidence.requests if (row.status or 500) >= 500]
    assert len(evidence.traffic) > 20
    assert len(evidence.requests) < len(failed) + 15


@BOTH_WAYS
def test_evidence_that_comes_later_has_its_requests_kept(tmp_path: Path) -> None:
    """A client's words at the end of a large paste speak of a request that was let go."""
    lines = logs.execution_log(Random(4), 30, 0.0, in_order=True)
    request_id = lines[0].partition("(")[2].partition(")")[0]
    lines += ["> GET /orders HTTP/2", "< HTTP/2 504", f"< x-amzn-requestid: {request_id}", "<"]
    path = tmp_path / "paste.log"
    path.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
    one, known = survey(find_inputs((str(path),))[0]).tolerantly(), Wanted()
    for _ in range(2):
        try:
            pieces = Pieces(1, large_bytes=0, sweep_every=2)
            evidence = Bulk([one], Payloads(), Silent(), pieces=pieces, known=known).collect()
        except AskedLater as later:
            known = later.wanted
    assert request_id in {row.request_id for row in evidence.requests}


def tail_of_streams(draw: Random, streams: int) -> list[str]:
    """Several streams as `aws logs tail` prints them, one among the other."""
    events: list[tuple[str, int, str]] = []
    for number in range(streams):
        name = f"2026/03/01/[$LATEST]{logs.uuid(draw).replace('-', '')}"
        for line in logs.lambda_log(draw, draw.choice((1, 4, 12))):
            if line[:4] == "2026":
                events.append((line[:24], number, f"{line[:23]}000+00:00 {name} {line[25:]}"))
            else:
                events[-1] = (*events[-1][:2], f"{events[-1][2]}\n{line}")
    events.sort(key=lambda event: event[0])
    return [text for _, _, text in events]


@BOTH_WAYS
@given(SEEDS)
@MANY
def test_large_lambda_logs_read_line_by_line_keep_only_what_is_remarkable(seed: int) -> None:
    """Inits, positions and lines find their invocations as if all had been kept."""
    draw = Random(seed)
    lines = tail_of_streams(draw, draw.choice((1, 2, 5)))
    if draw.random() < 0.8:  # else a function prints the platform's words, again and again with one id
        lines = [line for line in lines if "RequestId: x" not in line]
    lines = draw.sample(lines, len(lines)) if draw.random() < 0.1 else lines
    pieces = Pieces(1, large_bytes=0, sweep_every=draw.choice((1, 2, 5)))
    with TemporaryDirectory() as folder:
        path = Path(folder, "aws/lambda/orders-fn/tail.log")
        one = surveyed(path, "".join(f"{line}\n" for line in lines).encode())
        assert not differences(tolerant(Path(folder)), fast(Path(folder), pieces, one), Alike())


@BOTH_WAYS
def test_large_lambda_logs_read_line_by_line_keep_few_rows(tmp_path: Path) -> None:
    """Of well-ended invocations hardly more than between two sweeps."""
    draw, lines = Random(5), []
    for number in range(200):
        second, request_id = f"2026-03-01T10:{number // 60:02d}:{number % 60:02d}", logs.uuid(draw)
        front = f"{second}.100000+00:00 2026/03/01/[$LATEST]0123456789abcdef0123456789abcdef"
        report = "Duration: 100.00 ms\tBilled Duration: 100 ms\tMemory Size: 128 MB\tMax Memory Used: 71 MB"
        lines += [f"{front} START RequestId: {request_id} Version: 7", f"{front} END RequestId: {request_id}"]
        lines.append(f"{front} REPORT RequestId: {request_id}\t{report}")
    one = surveyed(tmp_path / "tail.log", "".join(f"{line}\n" for line in lines).encode())
    evidence = fast(tmp_path, Pieces(1, large_bytes=0, sweep_every=10), one)
    assert len(evidence.invocations) < 30
    assert len(evidence.invocations) + len(evidence.crowd) == 200
