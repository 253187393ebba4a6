"""What a function's process writes, cut into the events that Lambda would send to CloudWatch Logs."""

import sysconfig
from collections.abc import Callable
from pathlib import Path

from apigw_doctor.lab import environment
from apigw_doctor.lab.setup import LabFunction

#: type (4), length (4), time in microseconds (8): awslambdaric's frames (`FramedTelemetryLogSink`)
_FRAME_HEAD = 16
_MAX_LINE_BYTES = 262_144


class Paths:
    """Shows the folders of this machine, as tracebacks name them, as those that they stand for in Lambda."""

    def __init__(self, function: LabFunction) -> None:
        lib = f"/var/lang/lib/{function.runtime}"
        here = sysconfig.get_paths()
        places = {
            str(function.code): "/var/task",
            environment.__path__[0]: "/var/runtime",
            here["purelib"]: f"{lib}/site-packages",
            here["stdlib"]: lib,
        }
        self._places = {str(Path(place)): shown for place, shown in places.items()}

    def shown(self, text: str) -> str:
        """The text with Lambda's folders."""
        if "/" in text:
            for place, shown in self._places.items():
                text = text.replace(place, shown)
        return text


class Output:
    """Lines of standard output, and frames of the runtime client's log."""

    def __init__(self, emit: Callable[[str], None]) -> None:
        self._emit = emit
        self._text = b""
        self._framed = b""

    def lines(self, data: bytes) -> None:
        """Standard output: one event a line."""
        *lines, self._text = (self._text + data).split(b"\n")
        for line in lines:
            self._line(line)
        while len(self._text) > _MAX_LINE_BYTES:
            self._line(self._text[:_MAX_LINE_BYTES])
            self._text = self._text[_MAX_LINE_BYTES:]

    def frames(self, data: bytes) -> None:
        """The runtime client's log: one event a frame, which may hold line breaks."""
        self._framed += data
        while len(self._framed) >= _FRAME_HEAD:
            length = int.from_bytes(self._framed[4:8], "big")
            if len(self._framed) < _FRAME_HEAD + length:
                return
            text = self._framed[_FRAME_HEAD : _FRAME_HEAD + length]
            self._framed = self._framed[_FRAME_HEAD + length :]
            self._emit(text.decode("utf-8", "replace").rstrip("\n"))

    def flush(self) -> None:
        """The process ended, or is frozen: what has no line end yet is an event of its own."""
        if self._text:
            self._line(self._text)
            self._text = b""

    def _line(self, line: bytes) -> None:
        text = line.decode("utf-8", "replace").rstrip("\r")
        if text:
            self._emit(text)
