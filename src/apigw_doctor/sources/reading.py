"""Bytes from anywhere: files, folders, globs and standard input, compressed or not, as text lines.

Nothing is held but the line at hand. A file that ends too early gives what it had and a `Cut`.
"""

import codecs
import glob
import io
import shutil
import sys
import tempfile
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO, Any, BinaryIO

import msgspec

from apigw_doctor.model.errors import NothingReadable

#: A line longer than this is no log line (CloudWatch takes 1 MB an event); JSON documents may be longer.
MAX_LINE_BYTES = 8 * 1024 * 1024
STDIN = "-"
_GZIP, _ZSTD = b"\x1f\x8b", b"\x28\xb5\x2f\xfd"
_BINARY_SIGNS = (b"\x7fELF", b"\x89PNG", b"PK\x03\x04", b"%PDF", b"SQLite format 3", b"\xff\xd8\xff", b"GIF8")
_HEAD = 65536
#: What a damaged, cut or unreadable file raises; damaged zstd frames come as `ValueError` (see `_Unzstd`).
_CUT = (EOFError, zlib.error, OSError, ValueError)


class Input(msgspec.Struct, frozen=True):
    """One thing to read: its name in origins, and how to open it."""

    name: str
    open: Callable[[], BinaryIO]
    path: Path | None = None


class Line(msgspec.Struct, frozen=True):
    """One text line without its end; `number` counts from 1."""

    number: int
    text: str


class TooLong(msgspec.Struct, frozen=True):
    """A line that was passed over for its length."""

    number: int
    length: int


class Cut(msgspec.Struct, frozen=True):
    """The file ended, or could not be decompressed any further, after that many lines."""

    lines: int
    reason: str


def find_inputs(paths: tuple[str, ...], stdin: Callable[[], BinaryIO] | None = None) -> list[Input]:
    """Files behind the given names; folders and globs are walked, in a stable order.

    Raises:
        NothingReadable: for a name behind which there is nothing.
    """
    found: dict[str, Input] = {}
    for name in paths:
        if name == STDIN:
            found[STDIN] = Input("stdin", _Spooled(stdin or _stdin))
            continue
        for path in _walk(name):
            found.setdefault(str(path), Input(_printable(path), lambda path=path: path.open("rb"), path))  # type: ignore[misc]
    return list(found.values())


def read_lines(source: Input) -> Iterator[Line | TooLong | Cut]:
    """The lines of one input, decompressed and decoded.

    UTF-8 is expected; a line that is none is read as Windows-1252/Latin-1, which never fails.
    """
    with source.open() as raw:
        stream = _decompressed(raw)
        number = 0
        try:
            while block := stream.readline(MAX_LINE_BYTES):
                number += 1
                if len(block) == MAX_LINE_BYTES and not block.endswith(b"\n"):
                    rest = _rest_of_line(stream, keep=block.lstrip()[:1] in (b"{", b"["))
                    if isinstance(rest, int):
                        yield TooLong(number, len(block) + rest)
                        continue
                    block += rest
                yield Line(number, _text(block, first=number == 1))
        except _CUT as error:
            yield Cut(number, _why_cut(error))


def is_binary(source: Input) -> bool:
    """The (decompressed) head is no text."""
    with source.open() as raw:
        try:
            head = _decompressed(raw).read(_HEAD)
        except _CUT:
            return False
    if head.startswith(_BINARY_SIGNS):
        return True
    return head.count(b"\0") > len(head) // 16


def head_text(source: Input) -> str:
    """The first 64 KB as text, for a look ahead; empty when it cannot be read."""
    try:
        with source.open() as raw:
            return _decompressed(raw).read(_HEAD).decode("utf-8", "replace")
    except _CUT:
        return ""


def _walk(name: str) -> list[Path]:
    path = Path(name)
    if path.is_dir():
        return sorted(item for item in path.rglob("*") if item.is_file() and not _hidden(item.relative_to(path)))
    if path.exists():
        return [path]
    matches = _matches(name) if glob.has_magic(name) else []
    if not matches:
        raise NothingReadable(f"{name}: no such file or folder", "check the path; '-' reads standard input")
    return [inner for match in matches for inner in (_walk(str(match)) if match.is_dir() else [match])]


def _printable(path: Path) -> str:
    """A file's name may hold bytes that are no text."""
    return str(path).encode("utf-8", "surrogateescape").decode("utf-8", "replace")


def _matches(pattern: str) -> list[Path]:
    return sorted(Path(item) for item in glob.glob(pattern, recursive=True))  # noqa: PTH207 - absolute patterns too


def _hidden(path: Path) -> bool:
    return any(part.startswith(".") for part in path.parts)


def _stdin() -> BinaryIO:
    return sys.stdin.buffer


class _Spooled:
    """Standard input, kept in a temporary file: it can be read once only, and a look ahead is needed."""

    def __init__(self, opener: Callable[[], BinaryIO]) -> None:
        self._opener = opener
        self._file: IO[bytes] | None = None

    def __call__(self) -> BinaryIO:
        if self._file is None:
            self._file = tempfile.NamedTemporaryFile(prefix="apigw-doctor-")  # noqa: SIM115 - lives as long as we do
            shutil.copyfileobj(self._opener(), self._file)
            self._file.flush()
        return Path(self._file.name).open("rb")


class _Inflated(io.RawIOBase):
    """Gzip members one after the other; gives everything that can be read before it says what is wrong.

    `gzip.GzipFile` keeps back what it has when the end is missing; a cut file would lose its last lines.
    """

    def __init__(self, raw: BinaryIO) -> None:
        self._raw = raw
        self._member = zlib.decompressobj(wbits=31)
        self._pending = b""
        self._begun = False
        self._error: Exception | None = None

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:  # noqa: ANN401 - a writable buffer
        while True:
            if self._error is not None:
                raise self._error
            block = self._pending or self._raw.read(1 << 16)
            self._pending = b""
            if not block:
                if self._begun:
                    raise EOFError
                return 0
            try:
                data = self._member.decompress(block, len(buffer))
            except zlib.error as error:
                if not self._begun and not block.strip(b"\0"):
                    continue  # padding after the last member
                self._error = error
                raise
            self._begun = True
            self._pending = self._member.unconsumed_tail
            if self._member.eof:
                self._pending = self._member.unused_data
                self._member, self._begun = zlib.decompressobj(wbits=31), False
            if data:
                buffer[: len(data)] = data
                return len(data)


def _decompressed(raw: BinaryIO) -> IO[bytes]:
    head = raw.read(4)
    raw.seek(0)
    if head.startswith(_GZIP):
        return io.BufferedReader(_Inflated(raw), 1 << 16)
    if head.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return io.BufferedReader(_Utf16(raw), 1 << 16)
    if head.startswith(_ZSTD):
        return io.BufferedReader(_Unzstd(raw), 1 << 16)
    return raw


class _Utf16(io.RawIOBase):
    """UTF-16 with its mark, as Windows shells write redirected output; comes out as UTF-8."""

    def __init__(self, raw: BinaryIO) -> None:
        self._raw = raw
        self._decoder = codecs.getincrementaldecoder("utf-16")("replace")
        self._pending = b""

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:  # noqa: ANN401 - a writable buffer
        while not self._pending:
            block = self._raw.read(1 << 15)
            self._pending = self._decoder.decode(block, final=not block).encode("utf-8", "replace")
            if not block:
                break
        data, self._pending = self._pending[: len(buffer)], self._pending[len(buffer) :]
        buffer[: len(data)] = data
        return len(data)


class _Unzstd(io.RawIOBase):
    """Zstandard frames one after the other; what is wrong comes as `ValueError` or `EOFError`."""

    def __init__(self, raw: BinaryIO) -> None:
        import zstandard

        self._error = zstandard.ZstdError
        self._reader = zstandard.ZstdDecompressor().stream_reader(raw, read_across_frames=True)

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:  # noqa: ANN401 - a writable buffer
        try:
            return int(self._reader.readinto(buffer))
        except self._error as error:
            raise ValueError(str(error)) from error


def _rest_of_line(stream: IO[bytes], *, keep: bool) -> bytes | int:
    """The rest of an overlong line; only its length where it cannot be a JSON document."""
    parts: list[bytes] = []
    length = 0
    while block := stream.readline(MAX_LINE_BYTES):
        length += len(block)
        if keep:
            parts.append(block)
        if block.endswith(b"\n"):
            break
    return b"".join(parts) if keep else length


def _text(block: bytes, *, first: bool) -> str:
    if first and block.startswith(b"\xef\xbb\xbf"):
        block = block[3:]
    block = block.rstrip(b"\r\n")
    try:
        return block.decode("utf-8")
    except UnicodeDecodeError:
        return block.decode("cp1252", "replace")


def _why_cut(error: Exception) -> str:
    if isinstance(error, EOFError):
        return "the compressed file ends before its end marker; it was cut short"
    if isinstance(error, OSError):
        return f"cannot be read: {error.strerror or error}"
    return "the compressed data is damaged from here on"
