r"""`curl -w` timings: our own one-line form, and the blocks of `time_...` lines that people use.

Times are curl's: seconds from the start of the transfer to the end of each phase, so `tls_ms` includes
`connect_ms`. A phase that was never reached prints as 0 and is read as not said.

>>> times = read_line("dns=0.004 connect=0.012 tls=0.000000 first_byte=29.1 total=29.2 status=504 host=api.example")
>>> times["total_ms"], "tls_ms" in times, times["host"]
(29200.0, False, 'api.example')
>>> read_line("    time_namelookup:  0.004112s")
{'dns_ms': 4.112}
>>> read_line("INFO total=3 items") is None
True
"""

import re
from typing import Any

from apigw_doctor.sources.json_values import number, whole

_OWN = {"dns": "dns_ms", "connect": "connect_ms", "tls": "tls_ms", "first_byte": "first_byte_ms", "total": "total_ms"}
_CURL = {
    "time_namelookup": "dns_ms",
    "time_connect": "connect_ms",
    "time_appconnect": "tls_ms",
    "time_starttransfer": "first_byte_ms",
    "time_total": "total_ms",
}
_OWN_LINE = re.compile(r"\s*(?:[a-z_]+=\S*(?:\s+|$)){3,12}")
_OWN_FIELD = re.compile(r"([a-z_]+)=(\S*)")
_CURL_FIELD = re.compile(
    r"\b(time_[a-z]+|http_code|response_code)\b[\"']?\s{0,40}[:=]\s{0,40}[\"']?(\d{1,12}(?:[.,]\d{1,9})?)\s?(ms\b|s\b|)"
)
_RULE = re.compile(r"\s*-{4,}\s*")
_URL_HOST = re.compile(r"(?:\w+://)?([^/:?\s]+)")


def read_line(line: str) -> dict[str, Any] | None:
    """The fields of `TargetTiming` that a line holds (none for an unused phase); None when it is no timing line."""
    if "total=" in line and _OWN_LINE.fullmatch(line):
        return _own(dict(_OWN_FIELD.findall(line)))
    if "time_" not in line and "_code" not in line:
        return None
    fields = _CURL_FIELD.findall(line)
    if not fields or not line.lstrip(" \t\"'{").startswith(("time_", "http_code", "response_code")):
        return None
    found: dict[str, Any] = {}
    for name, value, unit in fields:
        if not name.startswith("time_"):
            found["status"] = whole(value) or None
        elif name in _CURL:
            _put(found, _CURL[name], value.replace(",", "."), 1.0 if unit == "ms" else 1000.0)
    return found


def is_rule(line: str) -> bool:
    """The `----------` that stands above the total in the usual format file."""
    return _RULE.fullmatch(line) is not None


def _own(fields: dict[str, str]) -> dict[str, Any] | None:
    if number(fields.get("total")) is None or not {"dns", "connect", "first_byte"} & fields.keys():
        return None
    found: dict[str, Any] = {}
    for name, field in _OWN.items():
        _put(found, field, fields.get(name, ""), 1000.0)
    if status := whole(fields.get("status")):
        found["status"] = status
    if match := _URL_HOST.match(fields.get("host", "")):
        found["host"] = match[1]
    return found


def _put(found: dict[str, Any], field: str, value: str, factor: float) -> None:
    if (seconds := number(value)) is not None and seconds > 0:
        found[field] = round(seconds * factor, 3)
