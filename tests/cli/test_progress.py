"""The progress line: late, true, short enough, gone at the end, and never where no person looks."""

import io
import os
import pty
import sys
from collections.abc import Iterator

import pytest

from apigw_doctor.cli.progress import Progress
from apigw_doctor.model.watch import Silent, Watcher


class Terminal(io.StringIO):
    """Keeps what was written, and shows what a person sees."""

    def __init__(self, *, person: bool = True) -> None:
        super().__init__()
        self._person = person

    def isatty(self) -> bool:
        return self._person

    @property
    def seen(self) -> str:
        """The line as it stands, blanks and all."""
        line: list[str] = []
        at = 0
        for char in self.getvalue():
            if char == "\r":
                at = 0
                continue
            line[at : at + 1] = char
            at += 1
        return "".join(line)


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def terminal() -> Terminal:
    return Terminal()


@pytest.fixture
def clock() -> Clock:
    return Clock()


def reading(watcher: Watcher, clock: Clock, seconds: float) -> None:
    """4 GB at 500 MB/s, told ten times a second."""
    watcher.phase("reading")
    watcher.total(4_000_000_000)
    for tick in range(1, round(seconds * 10) + 1):
        clock.now += 0.1
        watcher.done(tick * 50_000_000)


def test_it_says_how_far_how_fast_and_how_long(terminal: Terminal, clock: Clock) -> None:
    with Progress(terminal, clock) as progress:
        reading(progress, clock, 3.0)
        assert terminal.seen == "reading  1.5 GB of 4.0 GB  38 %  500 MB/s  5 s left"


def test_nothing_is_shown_in_the_first_second(terminal: Terminal, clock: Clock) -> None:
    with Progress(terminal, clock) as progress:
        reading(progress, clock, 0.9)
    assert terminal.getvalue() == ""


def test_nothing_is_shown_where_standard_error_is_no_terminal(clock: Clock) -> None:
    file = Terminal(person=False)
    with Progress(file, clock) as progress:
        reading(progress, clock, 5.0)
        progress.phase("joining")
    assert file.getvalue() == ""


@pytest.mark.parametrize("error", [None, KeyboardInterrupt, ValueError])
def test_it_is_gone_at_the_end(terminal: Terminal, clock: Clock, error: type[BaseException] | None) -> None:
    """However the work ended, and nothing is drawn after that."""
    progress = Progress(terminal, clock)
    try:
        with progress:
            reading(progress, clock, 3.0)
            if error is not None:
                raise error
    except (KeyboardInterrupt, ValueError):
        pass
    reading(progress, clock, 3.0)
    assert terminal.seen.strip() == ""
    assert terminal.getvalue().endswith("\r")


def test_the_next_phase_counts_anew(terminal: Terminal, clock: Clock) -> None:
    """At once, and nothing of the old line is left."""
    with Progress(terminal, clock) as progress:
        reading(progress, clock, 3.0)
        progress.phase("joining")
        assert terminal.seen.rstrip() == "joining"
        progress.total(10_000_000)
        clock.now += 2.0
        progress.done(1_000_000)
        assert terminal.seen.rstrip() == "joining  1.0 MB of 10.0 MB  10 %  500 kB/s  18 s left"


def test_the_total_may_be_told_before_the_phase_or_never(terminal: Terminal, clock: Clock) -> None:
    with Progress(terminal, clock) as progress:
        progress.total(2000)
        progress.phase("reading")
        clock.now += 2.0
        progress.done(1000)
        assert terminal.seen == "reading  1.0 kB of 2.0 kB  50 %  500 B/s  2 s left"
        progress.phase("merging")
        clock.now += 1.0
        progress.done(1000)
        assert terminal.seen.rstrip() == "merging  1.0 kB  1.0 kB/s"


def test_more_than_was_announced_is_no_more_than_all(terminal: Terminal, clock: Clock) -> None:
    """A file may have grown."""
    with Progress(terminal, clock) as progress:
        progress.total(1000)
        clock.now += 2.0
        progress.done(1500)
        assert terminal.seen == "working  1.5 kB of 1.0 kB  100 %  750 B/s"


@pytest.mark.parametrize(("columns", "line"), [(30, "reading  1.5 GB of 4.0 GB"), (12, "reading"), (5, "read")])
def test_a_narrow_terminal_is_never_wrapped(
    terminal: Terminal, clock: Clock, monkeypatch: pytest.MonkeyPatch, columns: int, line: str
) -> None:
    monkeypatch.setattr(Progress, "_columns", lambda _: columns)
    with Progress(terminal, clock) as progress:
        reading(progress, clock, 3.0)
        assert terminal.seen == line


def test_only_characters_that_every_terminal_knows_are_written(terminal: Terminal, clock: Clock) -> None:
    """Also with TERM=dumb."""
    with Progress(terminal, clock) as progress:
        reading(progress, clock, 7.0)
    assert set(terminal.getvalue()) <= set("\r" + "".join(map(chr, range(32, 127))))


def test_it_is_drawn_ten_times_a_second_at_most(terminal: Terminal, clock: Clock) -> None:
    """However often it is told."""
    with Progress(terminal, clock) as progress:
        clock.now += 2.0
        for count in range(1, 10_000):
            clock.now += 0.0001
            progress.done(count)
    assert terminal.getvalue().count("\rworking") <= 12


def test_a_terminal_that_went_away_does_not_stop_the_work(clock: Clock) -> None:
    class Gone(Terminal):
        def flush(self) -> None:
            raise OSError(5, "Input/output error")

    with Progress(Gone(), clock) as progress:
        reading(progress, clock, 5.0)


@pytest.fixture
def real() -> Iterator[tuple[int, io.TextIOWrapper]]:
    """Both ends of a terminal of the system."""
    ours, theirs = pty.openpty()
    with os.fdopen(theirs, "w") as stream:
        yield ours, stream
    os.close(ours)


@pytest.mark.skipif(sys.platform == "win32", reason="no such terminals there")
def test_it_writes_to_a_terminal_of_the_system(real: tuple[int, io.TextIOWrapper], clock: Clock) -> None:
    ours, stream = real
    with Progress(stream, clock) as progress:
        reading(progress, clock, 1.2)
    assert os.read(ours, 10_000).startswith(b"\rreading  5")


def test_nobody_needs_to_watch(clock: Clock) -> None:
    reading(Silent(), clock, 1.0)
