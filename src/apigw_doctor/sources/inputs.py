"""What there is to read: files, folders, globs and standard input."""

import glob
import os
import shutil
import stat
import sys
import tempfile
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import IO, Any, BinaryIO

import msgspec

from apigw_doctor.model.errors import NothingReadable

STDIN = "-"
#: No modes of files: there is none, and there is one that may not be looked at.
_NOTHING, _CLOSED = 0, 1


class Input(msgspec.Struct, frozen=True, weakref=True):
    """One thing to read: its name in origins, and how to open it. It can be sent to another process."""

    name: str
    open: Callable[[], BinaryIO]
    path: Path | None = None


def find_inputs(paths: tuple[str, ...], stdin: Callable[[], BinaryIO] | None = None) -> list[Input]:
    """Files behind the given names; folders and globs are walked, in a stable order.

    What cannot be read (a folder that may not be entered, a link to nothing) is in the list too: opening it
    says why.

    Raises:
        NothingReadable: for a name behind which there is nothing.
    """
    found: dict[str, Input] = {}
    for name in paths:
        if name == STDIN:
            found[STDIN] = Input("stdin", _Spooled(stdin or _stdin))
            continue
        for path in _walk(name):
            found.setdefault(str(path), _input(path))
    return list(found.values())


def _input(path: Path) -> Input:
    opener = partial(_opened, str(path))
    if _is_pipe(_mode(path)):
        return Input(_printable(path), _Spooled(opener))
    return Input(_printable(path), opener, path)


def _opened(path: str) -> BinaryIO:
    if Path(path).is_dir():
        next(Path(path).iterdir(), None)  # it could not be walked, and says why
    return Path(path).open("rb")


def _walk(name: str) -> list[Path]:
    path = Path(name)
    mode = _mode(path)
    if stat.S_ISDIR(mode):
        return sorted(_below(path))
    if mode != _NOTHING:
        return [path]
    matches = _matches(name) if glob.has_magic(name) else []
    if not matches:
        raise NothingReadable(f"{name}: no such file or folder", "check the path; '-' reads standard input")
    return [inner for match in matches for inner in (_walk(str(match)) if match.is_dir() else [match])]


def _below(folder: Path) -> Iterator[Path]:
    closed: list[OSError] = []
    for parent, folders, files in os.walk(folder, onerror=closed.append):
        folders[:] = [name for name in folders if not name.startswith(".")]
        yield from (path for name in files if not name.startswith(".") and _is_file(path := Path(parent, name)))
    yield from (Path(error.filename) for error in closed)


def _mode(path: Path) -> int:
    """What stands behind a name."""
    try:
        return path.stat().st_mode
    except PermissionError:
        return _CLOSED
    except (OSError, ValueError):
        return _NOTHING


def _is_file(path: Path) -> bool:
    """No socket, pipe or device; what is closed, or a link to nothing, says so when it is opened."""
    mode = _mode(path)
    return mode in (_CLOSED, _NOTHING) or stat.S_ISREG(mode)


def _is_pipe(mode: int) -> bool:
    """A named pipe or `<(command)`: it can be read once only."""
    return stat.S_ISFIFO(mode) or stat.S_ISCHR(mode)


def _printable(path: Path) -> str:
    """A file's name may hold bytes that are no text."""
    return str(path).encode("utf-8", "surrogateescape").decode("utf-8", "replace")


def _matches(pattern: str) -> list[Path]:
    return sorted(Path(item) for item in glob.glob(pattern, recursive=True))  # noqa: PTH207 - absolute patterns too


def _stdin() -> BinaryIO:
    return sys.stdin.buffer


class _Spooled:
    """What can be read once only, kept in a temporary file: a look ahead is needed."""

    def __init__(self, opener: Callable[[], BinaryIO]) -> None:
        self._opener = opener
        self._file: IO[bytes] | None = None

    def __call__(self) -> BinaryIO:
        return _opened(self._kept())

    def __reduce__(self) -> tuple[Any, ...]:
        """Another process opens the file; this one keeps it."""
        return partial, (_opened, self._kept())

    def _kept(self) -> str:
        if self._file is None:
            self._file = tempfile.NamedTemporaryFile(prefix="apigw-doctor-")  # noqa: SIM115 - lives as long as we do
            shutil.copyfileobj(self._opener(), self._file, 1 << 20)
            self._file.flush()
        return self._file.name
