r"""CloudFront access logs: standard logs, and real-time logs where a `#Fields:` line names their columns.

Tab-separated and URL-encoded; `date` and `time` (or `timestamp`) tell when the edge had finished
answering. A status of `000` means that the viewer left before there was one, and is kept as 0.

>>> log = CloudFrontLog()
>>> log.header("#Fields: date time x-edge-location c-ip cs-method cs-uri-stem sc-status time-taken x-edge-result-type")
True
>>> row = log.parse_line(
...     "2026-04-10\t09:00:30\tDUB56-P2\t203.0.113.9\tGET\t/prod/reports\t504\t30.003\tError", origin="edge:3")
>>> row.status, row.time_taken_ms, row.result_type
(504, 30003.0, 'Error')
"""

import re
from urllib.parse import unquote

from apigw_doctor.evidence.tables import EdgeRequest
from apigw_doctor.model.times import parse_time
from apigw_doctor.sources.json_values import cite, epoch_ms, number, text, whole

_STANDARD = """
date time x-edge-location sc-bytes c-ip cs-method cs(Host) cs-uri-stem sc-status cs(Referer) cs(User-Agent)
cs-uri-query cs(Cookie) x-edge-result-type x-edge-request-id x-host-header cs-protocol cs-bytes time-taken
x-forwarded-for ssl-protocol ssl-cipher x-edge-response-result-type cs-protocol-version fle-status
fle-encrypted-fields c-port time-to-first-byte x-edge-detailed-result-type sc-content-type sc-content-len
sc-range-start sc-range-end
"""
#: The 33 fields of the standard log in their order (CloudFront, "Standard logging reference").
STANDARD_FIELDS = tuple(_STANDARD.split())
#: Fields of logs before 2014 ended with time-taken.
_LEAST_FIELDS = 19
_EDGE_LOCATION = re.compile(r"[A-Z]{3,4}\d{1,4}(?:-[A-Z]\w*)?")


class CloudFrontLog:
    """Reads the lines of one file; its header, where it has one, says what the columns are."""

    def __init__(self) -> None:
        self._fields: tuple[str, ...] | None = None

    def header(self, line: str) -> bool:
        """Take a `#Version:` or `#Fields:` line; False when it is none, or that of another W3C log."""
        if line.startswith("#Version:"):
            return True
        if not line.startswith("#Fields:"):
            return False
        fields = tuple(line.removeprefix("#Fields:").split())
        if not any(field.startswith("x-edge-") for field in fields):
            return False
        self._fields = fields
        return True

    def parse_line(self, line: str, origin: str) -> EdgeRequest | None:
        """Read one line; None when it is no line of this log."""
        cells = line.rstrip("\r\n").split("\t") if "\t" in line else line.split()
        fields = self._columns(cells)
        if fields is None:
            return None
        found = dict(zip(fields, cells, strict=False))
        ended_at = _ended_at(found)
        status = whole(found.get("sc-status"))
        if ended_at is None or (status is None and "sc-status" in found):
            return None
        taken = number(found.get("time-taken"))
        return EdgeRequest(
            ended_at=ended_at,
            edge_request_id=_plain(found, "x-edge-request-id"),
            client_ip=_plain(found, "c-ip"),
            method=_plain(found, "cs-method"),
            host=_plain(found, "x-host-header", "cs(Host)", "cs-host"),
            path=_plain(found, "cs-uri-stem"),
            status=status,
            result_type=_plain(found, "x-edge-result-type"),
            detailed_result=_plain(found, "x-edge-detailed-result-type"),
            time_taken_ms=round(taken * 1000.0, 3) if taken is not None and taken >= 0 else None,
            cites=cite(origin, line),
        )

    def _columns(self, cells: list[str]) -> tuple[str, ...] | None:
        if self._fields is not None and len(cells) == len(self._fields):
            return self._fields
        if len(cells) < _LEAST_FIELDS or _EDGE_LOCATION.fullmatch(cells[2]) is None:
            return None
        return STANDARD_FIELDS


def _ended_at(found: dict[str, str]) -> float | None:
    if "date" in found and "time" in found:
        return parse_time(f"{found['date']} {found['time']}")
    return epoch_ms(found.get("timestamp(ms)") or found.get("timestamp"))


def _plain(found: dict[str, str], *names: str) -> str | None:
    """The first of the columns that says something, its URL encoding undone."""
    for name in names:
        if (value := text(found.get(name))) is not None:
            return unquote(value)
    return None
