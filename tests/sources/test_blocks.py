"""Blocks and lines of an input are its bytes, each once, however it is cut, packed or damaged."""

import codecs
import gzip
import io
import itertools
import pickle
import random
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import BinaryIO

import pytest
import zstandard
from hypothesis import given, settings
from hypothesis import strategies as st

from apigw_doctor.sources import blocks, frames
from apigw_doctor.sources.collect import collect
from apigw_doctor.sources.notices import MAX_LINE_BYTES
from apigw_doctor.sources.reading import (
    Cut,
    Input,
    Line,
    TooLong,
    find_inputs,
    head,
    is_binary,
    plain_size,
    read_blocks,
    read_lines,
)

LINES = st.lists(st.sampled_from([b"", b"a", b"line", b"\xffno text", b"  {", b"x" * 40, b"\r"]), max_size=30)
CONTENTS = st.builds(lambda lines, end: b"\n".join(lines) + end, LINES, st.sampled_from([b"", b"\n", b"\r\n"]))
SIZES = st.integers(1, 50)
#: Lines that a deflater cannot shrink to nothing.
MEMBERS = st.lists(st.integers(0, 400), min_size=1, max_size=6)


UUID = "c0ffee00-0000-4000-8000-00000000000"


def packed(data: bytes) -> bytes:
    return zstandard.ZstdCompressor(write_checksum=True).compress(data)


def of(data: bytes) -> Input:
    return Input("input", lambda: io.BytesIO(data))


def joined(source: Input, size: int = 1 << 20, *, start: int = 0, end: int | None = None) -> bytes:
    return b"".join(item for item in read_blocks(source, size, start=start, end=end) if isinstance(item, bytes))


def texts(source: Input) -> list[str]:
    return [item.text for item in read_lines(source) if isinstance(item, Line)]


def cuts(source: Input) -> list[Cut]:
    return [item for item in read_lines(source) if isinstance(item, Cut)]


def as_text(line: bytes) -> str:
    try:
        return line.rstrip(b"\r").decode()
    except UnicodeDecodeError:
        return line.rstrip(b"\r").decode("cp1252", "replace")


@given(CONTENTS, SIZES)
def test_blocks_are_the_bytes_of_a_file_and_end_at_line_ends(data: bytes, size: int) -> None:
    """Only the last one may end in the middle of a line."""
    found = list(read_blocks(of(data), size))
    assert b"".join(item for item in found if isinstance(item, bytes)) == data
    assert all(isinstance(item, bytes) and item.endswith(b"\n") for item in found[:-1])


@given(CONTENTS)
def test_lines_are_the_lines_of_a_file(data: bytes) -> None:
    """Numbered from 1, without their ends."""
    found = [item for item in read_lines(of(data)) if isinstance(item, Line)]
    assert [item.text for item in found] == [as_text(line) for line in data.split(b"\n")[: len(found)]]
    assert [item.number for item in found if not isinstance(item, Cut)] == list(
        range(1, data.count(b"\n") + 1 + (data[-1:] not in (b"", b"\n")))
    )


@given(CONTENTS, SIZES, st.lists(st.integers(0, 300), max_size=5))
def test_parts_of_a_file_cover_each_line_once(data: bytes, size: int, borders: list[int]) -> None:
    """A line belongs to the part in which its first byte lies."""
    edges = [0, *sorted(borders), None]
    source = of(data)
    parts = [joined(source, size, start=start or 0, end=end) for start, end in itertools.pairwise(edges)]
    assert b"".join(parts) == data
    assert all(part.endswith(b"\n") for part in parts if part and not data.endswith(part))


@pytest.mark.parametrize("pack", [gzip.compress, packed])
@given(contents=st.lists(CONTENTS, min_size=1, max_size=4), size=SIZES)
@settings(max_examples=60, deadline=None)
def test_packed_members_one_after_the_other_give_the_same_blocks(
    pack: Callable[[bytes], bytes], contents: list[bytes], size: int
) -> None:
    """Also with the zeros behind them that tapes leave."""
    source = of(b"".join(pack(data) + b"\0" * (len(data) % 3) for data in contents))
    whole = b"".join(contents)
    found = list(read_blocks(source, size))
    assert b"".join(item for item in found if isinstance(item, bytes)) == whole
    assert all(isinstance(item, bytes) and item.endswith(b"\n") for item in found[:-1])
    assert texts(source) == texts(of(whole))


@pytest.mark.parametrize("mark", [codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE])
@pytest.mark.parametrize("pack", [bytes, gzip.compress, packed])
def test_utf_16_comes_out_as_utf_8(mark: bytes, pack: Callable[[bytes], bytes]) -> None:
    """As Windows shells write what is redirected, packed or not."""
    text = "START RequestId: é\r\nüber 𝄞\r\n" * 5000
    data = mark + text.encode("utf-16-le" if mark == codecs.BOM_UTF16_LE else "utf-16-be")
    assert joined(of(pack(data))) == text.encode()
    assert texts(of(pack(data))) == text.split("\r\n")[:-1]


def test_the_mark_of_utf_8_is_no_part_of_the_first_line() -> None:
    assert texts(of(codecs.BOM_UTF8 + b"first\nsecond")) == ["first", "second"]


def test_lines_in_another_code_do_not_spoil_the_others() -> None:
    assert texts(of(b"caf\xe9\ncaf\xc3\xa9\n\x81\n")) == ["café", "café", "\ufffd"]


# what is damaged


def members(seeds: list[int]) -> list[list[bytes]]:
    """Lines that say which member they are of."""
    return [
        [b"%d %d %d\n" % (number, line, random.Random(line + seed).getrandbits(64)) for line in range(seed)]
        for number, seed in enumerate(seeds)
    ]


@pytest.fixture(params=["isal", "zlib"])
def inflater(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Both ways to inflate."""
    frames.gzip.cache_clear()
    if request.param == "zlib":
        monkeypatch.setitem(__import__("sys").modules, "isal", None)
    yield
    frames.gzip.cache_clear()


@pytest.mark.parametrize("pack", [gzip.compress, packed])
@given(seeds=MEMBERS, data=st.data())
@settings(max_examples=150, deadline=None)
def test_random_damage_never_loses_whole_members(
    pack: Callable[[bytes], bytes], seeds: list[int], data: st.DataObject
) -> None:
    """Nothing is raised, the other members' lines are all there in order, and a notice says it."""
    lines = members(seeds)
    parts = [bytearray(pack(b"".join(member))) for member in lines]
    number = data.draw(st.integers(0, len(parts) - 1))
    hurt = parts[number]
    for _ in range(data.draw(st.integers(1, 3))):
        first = 0 if number else 4  # a file that does not begin as a packed one is none
        at = data.draw(st.integers(first, max(len(hurt) - 1, first)))
        hurt[at : at + data.draw(st.integers(1, 9))] = data.draw(st.binary(max_size=9))
    source = of(b"".join(parts))
    read = texts(source)
    kept = iter(read)
    others = [line.decode().strip() for other, member in enumerate(lines) if other != number for line in member]
    lost = [line for line in others if line not in kept]
    assert not lost
    assert cuts(source) or read == [line.decode().strip() for member in lines for line in member]


@pytest.mark.usefixtures("inflater")
def test_reading_goes_on_behind_a_damaged_member() -> None:
    """All of it before the damage is given, then one notice, then the next member from its start."""
    lines = members([20000, 30000, 20])
    parts = [bytearray(gzip.compress(b"".join(member))) for member in lines]
    middle = len(parts[1]) // 2
    parts[1][middle : middle + 2000] = bytes(2000)
    found = list(read_lines(of(b"".join(parts))))
    notice = next(item for item in found if isinstance(item, Cut))
    assert notice.resumed
    assert "were passed over" in notice.reason
    assert sum(isinstance(item, Cut) for item in found) == 1
    assert found.index(notice) == notice.lines > 20000 + 30000 * 0.45
    assert [item.text for item in found[-20:] if isinstance(item, Line)] == [line.decode().strip() for line in lines[2]]
    assert [item.text for item in found[:34000] if isinstance(item, Line)] == [
        line.decode().strip() for line in (lines[0] + lines[1])[:34000]
    ]


@pytest.mark.usefixtures("inflater")
def test_a_member_with_a_wrong_checksum_is_given_and_said() -> None:
    part = bytearray(gzip.compress(b"one\ntwo\n"))
    part[-7] ^= 1
    found = list(read_lines(of(bytes(part) + gzip.compress(b"three\n"))))
    assert [item.text for item in found if isinstance(item, Line)] == ["one", "two", "three"]
    assert [item.resumed for item in found if isinstance(item, Cut)] == [True]


@pytest.mark.usefixtures("inflater")
def test_bytes_that_only_look_like_a_member_are_passed_over() -> None:
    """The mark of a member turns up by chance in packed data."""
    broken = gzip.compress(b"one\n")[:12] + b"\xff" * 40 + frames.GZIP + bytes(range(256)) + frames.GZIP
    source = of(broken + gzip.compress(b"two\n"))
    assert texts(source)[-1] == "two"
    assert len(texts(source)) == 2
    assert [cut.resumed for cut in cuts(source)] == [True]


@pytest.mark.parametrize("pack", [gzip.compress, packed])
def test_a_file_that_was_cut_short_gives_all_it_has(pack: Callable[[bytes], bytes]) -> None:
    data = b"".join(members([50000])[0])
    whole = pack(data)
    for length in (len(whole) - 1, len(whole) // 2, 30):
        source = of(whole[:length])
        read = joined(source)
        assert data.startswith(read)
        assert len(read) >= len(data) * (length - 60_000) // len(whole)
        assert ["cut short" in cut.reason for cut in cuts(source)] == [True]


def test_rubbish_behind_the_last_member_is_said() -> None:
    found = list(read_lines(of(gzip.compress(b"one\n") + b"rubbish")))
    assert [type(item) for item in found] == [Line, Cut]


def test_a_damage_is_a_gap_in_the_evidence_and_the_requests_behind_it_are_read(tmp_path: Path) -> None:
    """The answer is given, with exit status 3."""
    parts = [
        bytearray(gzip.compress(f"2026-03-01T10:00:0{n}.100Z ({UUID}{n}) Method completed with status: 504\n".encode()))
        for n in range(3)
    ]
    parts[1][20:60] = bytes(40)
    (tmp_path / "execution.log.gz").write_bytes(b"".join(parts))
    evidence = collect((str(tmp_path),))
    assert [row.request_id for row in evidence.requests] == [f"{UUID}0", f"{UUID}2"]
    assert ["data is damaged here" in gap.reason for gap in evidence.gaps] == [True]


# long lines


@pytest.mark.parametrize("pack", [bytes, gzip.compress, packed])
@pytest.mark.parametrize("end", [b"\nlast\n", b"\nlast", b"", b"\n"])
def test_a_line_that_is_too_long_is_passed_over_in_every_packing(pack: Callable[[bytes], bytes], end: bytes) -> None:
    """And a JSON document of that length is not."""
    long = b"x" * (MAX_LINE_BYTES - len(end[:1]))
    for begin, passed in ((b"", False), (b"x", True), (b" {", False)):
        data = b"first\n" + begin + long + end
        found = list(read_lines(of(pack(data))))
        assert [item.number for item in found if not isinstance(item, Cut)] == list(range(1, len(found) + 1))
        assert [item for item in found if isinstance(item, TooLong)] == (
            [TooLong(2, MAX_LINE_BYTES + 1)] if passed else []
        )
        assert texts(of(pack(data)))[-1] == (
            "last" if b"last" in end else "first" if passed else (begin + long).decode()
        )


# files that change, and cannot be read


def grown(path: Path, more: bytes) -> Callable[[int], None]:
    """Adds to the file after its first block."""

    def add(_at: int) -> None:
        if path.stat().st_size < 200:
            with path.open("ab") as file:
                file.write(more)

    return add


@pytest.mark.parametrize(
    ("at_first", "more", "expected"),
    [
        (b"one\ntwo\n", b"three\n" * 50, b"one\ntwo\n"),
        (b"one\ntwo\nthr", b"ee\n" + b"four\n" * 50, b"one\ntwo\n"),
        (b"one\ntwo\nthr", b"", b"one\ntwo\nthr"),
    ],
)
def test_a_file_that_grows_is_read_up_to_its_size_when_opened(
    tmp_path: Path, at_first: bytes, more: bytes, expected: bytes
) -> None:
    """Without the line that was still being written."""
    path = tmp_path / "growing.log"
    path.write_bytes(at_first)
    (source,) = find_inputs((str(path),))
    found = list(read_blocks(source, 4, watch=grown(path, more)))
    assert b"".join(item for item in found if isinstance(item, bytes)) == expected
    assert not any(isinstance(item, Cut) for item in found)


def test_a_file_that_shrinks_gives_what_is_left_and_says_so(tmp_path: Path) -> None:
    path = tmp_path / "shrinking.log"
    path.write_bytes(b"one\n" * 100)
    (source,) = find_inputs((str(path),))

    def shrink(_at: int) -> None:
        path.write_bytes(b"one\none\none\nt")

    found = list(read_blocks(source, 10, watch=shrink))
    assert found[:-1] == [b"one\none\n", b"one\nt"]
    assert isinstance(found[-1], Cut)
    assert "shorter" in found[-1].reason


def test_what_vanishes_or_is_a_link_to_nothing_says_so_when_it_is_opened(tmp_path: Path) -> None:
    (tmp_path / "a.log").write_bytes(b"one\n")
    (tmp_path / "b.log").symlink_to(tmp_path / "nowhere")
    found = find_inputs((str(tmp_path),))
    (tmp_path / "a.log").unlink()
    assert [Path(source.name).name for source in found] == ["a.log", "b.log"]
    for source in found:
        assert head(source) == b""
        assert not is_binary(source)
        with pytest.raises(FileNotFoundError):
            list(read_lines(source))


def test_a_folder_that_cannot_be_entered_is_no_silence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is in the list, and opening it says why."""
    inner = tmp_path / "closed"
    inner.mkdir()
    (tmp_path / "open.log").write_bytes(b"one\n")
    scan = __import__("os").scandir

    def refused(path: str) -> object:
        if Path(path) == inner:
            raise PermissionError(13, "Permission denied", str(path))
        return scan(path)

    monkeypatch.setattr("os.scandir", refused)
    found = find_inputs((str(tmp_path),))
    assert [Path(source.name).name for source in found] == ["closed", "open.log"]
    with pytest.raises(OSError, match="closed"):
        list(read_lines(found[0]))


def test_an_error_in_the_middle_of_a_file_ends_it(tmp_path: Path) -> None:
    class Failing(io.BytesIO):
        def readinto(self, buffer: object) -> int:
            if self.tell() >= 4:
                raise OSError(5, "Input/output error")
            return super().readinto(memoryview(buffer)[:4])  # type: ignore[arg-type]

    found = list(read_blocks(Input("x", lambda: Failing(b"one\ntwo\n")), 4))
    assert found == [b"one\n", Cut(0, "cannot be read: Input/output error")]


# looking ahead


def counted(data: bytes) -> tuple[Input, list[int]]:
    opened: list[int] = []

    def opener() -> BinaryIO:
        opened.append(1)
        return io.BytesIO(data)

    return Input("counted", opener), opened


def test_a_head_is_looked_up_once() -> None:
    """All inputs are looked into before the first is read: one look and one reading each."""
    data = gzip.compress(b"line\n" * 50000)
    inputs = [counted(data) for _ in range(50)]
    for source, _ in inputs:
        assert head(source) == (b"line\n" * 50000)[:65536]
    for source, opened in inputs:
        assert not is_binary(source)
        assert len(texts(source)) == 50000
        assert len(opened) == 2


def test_heads_have_limited_room(monkeypatch: pytest.MonkeyPatch) -> None:
    """What does not fit is looked up again; what was read or is gone makes room."""
    from apigw_doctor.sources import heads

    monkeypatch.setattr(heads, "_heads", heads._Heads(10))
    first, second, third = counted(b"123456\n"), counted(b"123456\n"), counted(b"12\n")
    for source, _ in (first, second, third, first, second, third):
        head(source)
    assert [len(opened) for _, opened in (first, second, third)] == [1, 2, 1]
    texts(first[0])
    for source, _ in (third, first, second, third, first, second):
        head(source)
    assert [len(opened) for _, opened in (first, second, third)] == [3, 3, 1]


# parts and processes


def test_only_plain_files_have_parts(tmp_path: Path) -> None:
    assert plain_size(of(b"one\n")) == 4
    for data in (gzip.compress(b"one\n"), packed(b"one\n"), codecs.BOM_UTF16_LE + b"o\0"):
        assert plain_size(of(data)) is None
        with pytest.raises(ValueError, match="only a plain file"):
            joined(of(data), start=1)


def test_inputs_can_be_sent_to_another_process(tmp_path: Path) -> None:
    """Standard input too: it is read once, by the process that sends it."""
    path = tmp_path / "a.log"
    path.write_bytes(b"one\n")
    found = find_inputs((str(path), "-"), lambda: io.BytesIO(b"two\n"))
    sent = pickle.loads(pickle.dumps(found))
    assert [joined(source) for source in sent] == [b"one\n", b"two\n"]
    assert [joined(source) for source in found] == [b"one\n", b"two\n"]


@pytest.mark.parametrize("pack", [bytes, gzip.compress, packed])
def test_the_watch_is_told_how_far_the_file_on_disk_was_read(pack: Callable[[bytes], bytes]) -> None:
    data = pack(b"".join(members([3000])[0]))
    told: list[int] = []
    list(read_blocks(of(data), 1000, watch=told.append))
    assert told == sorted(told)
    assert told[-1] == len(data)
    assert blocks.BLOCK_BYTES <= MAX_LINE_BYTES // 2
