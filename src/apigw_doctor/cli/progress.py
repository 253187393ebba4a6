r"""One line on the terminal that says how far the reading is, gone before the report is printed.

`reading  1.2 GB of 4.0 GB  30 %  410 MB/s  7 s left`

It comes on standard error, only on a terminal and only after a second. It is written over with `\r` and
blanks, which every terminal knows, and drawn by the calls that report: no thread that a fork would tear.
"""

import os
import sys
import time
from collections import deque
from collections.abc import Callable
from types import TracebackType
from typing import Self, TextIO

_PATIENCE_S = 1.0
_EVERY_S = 0.1
#: The rate is that of the last seconds: packed and plain files differ.
_SAMPLES = 50
_WIDTH = 80


class Progress:
    """A `Watcher` for people; nothing at all where standard error is no terminal."""

    def __init__(self, stream: TextIO | None = None, clock: Callable[[], float] = time.monotonic) -> None:
        self._stream = sys.stderr if stream is None else stream
        self._clock = clock
        self._open = self._stream.isatty()
        self._next = clock() + _PATIENCE_S
        self._phase = ""
        self._total = self._done = self._shown = 0
        self._samples = deque([(clock(), 0)], maxlen=_SAMPLES)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def phase(self, name: str) -> None:
        """A piece of work begins; its bytes are counted anew."""
        if self._done:
            self._total = self._done = 0
        self._phase = name
        now = self._clock()
        self._samples = deque([(now, self._done)], maxlen=_SAMPLES)
        if self._open and (self._shown or now >= self._next):
            self._draw(now)

    def total(self, count: int) -> None:
        """So many bytes on disk are to be read."""
        self._total = count
        self._perhaps()

    def done(self, count: int) -> None:
        """So many of them have been read by now."""
        self._done = count
        self._perhaps()

    def close(self) -> None:
        """Remove the line; nothing comes after it."""
        if self._shown:
            self._shown = min(self._shown + len("^C"), self._columns() - 1)  # the terminal may have echoed it
        self._write("")
        self._open = False

    def _perhaps(self) -> None:
        if self._open and (now := self._clock()) >= self._next:
            self._draw(now)

    def _draw(self, now: float) -> None:
        self._next = now + _EVERY_S
        self._samples.append((now, self._done))
        self._write(self._line(self._columns() - 1))

    def _line(self, width: int) -> str:
        parts = [self._phase or "working"]
        if self._done and self._total:
            share = min(self._done / self._total, 1.0)
            parts += [f"{_bytes(self._done)} of {_bytes(self._total)}", f"{share:.0%}".replace("%", " %")]
        elif self._done:
            parts.append(_bytes(self._done))
        rate = self._rate()
        if rate:
            parts.append(f"{_bytes(int(rate))}/s")
            if self._total > self._done:
                parts.append(f"{_time((self._total - self._done) / rate)} left")
        while len(parts) > 1 and len("  ".join(parts)) > width:
            parts.pop()
        return "  ".join(parts)[:width]

    def _rate(self) -> float:
        (began, before), (now, done) = self._samples[0], self._samples[-1]
        return (done - before) / (now - began) if now > began and done > before else 0.0

    def _write(self, line: str) -> None:
        """Over the line that is there."""
        if not self._open or not (line or self._shown):
            return
        blanks = " " * (self._shown - len(line))
        try:
            self._stream.write(f"\r{line}{blanks}\r{line}" if blanks else f"\r{line}")
            self._stream.flush()
        except OSError:
            self._open = False  # the terminal is gone; the answer may still be wanted
        self._shown = len(line)

    def _columns(self) -> int:
        try:
            return os.get_terminal_size(self._stream.fileno()).columns or _WIDTH
        except (OSError, ValueError):
            return _WIDTH


def _bytes(count: int) -> str:
    """Bytes at a glance, in powers of 1000 as disks and file managers count.

    >>> _bytes(999), _bytes(1_000_000), _bytes(412_300_000), _bytes(4_020_000_000)
    ('999 B', '1.0 MB', '412 MB', '4.0 GB')
    """
    size, unit = float(count), "B"
    for unit in ("B", "kB", "MB", "GB", "TB"):
        if size < 999.5 or unit == "TB":
            break
        size /= 1000
    return f"{size:.1f} {unit}" if size < 99.95 and unit != "B" else f"{size:.0f} {unit}"


def _time(seconds: float) -> str:
    """Time left; more exact than this it cannot be.

    >>> _time(0.2), _time(59.4), _time(61), _time(7000)
    ('1 s', '59 s', '1 min 1 s', '1 h 57 min')
    """
    whole = max(round(seconds), 1)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60} s"
    return f"{whole // 3600} h {round(whole % 3600 / 60)} min"
