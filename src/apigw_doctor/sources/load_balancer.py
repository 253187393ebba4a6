r"""Application Load Balancer access logs.

Space-separated, quoted where a value may hold spaces; times in seconds, `-1` where that part never
took place; the last fields came over the years, and more may come.

>>> line = (
...     'http 2022-04-15T16:52:50.757968Z app/my-loadbalancer/50dc6c495c0c9188 192.168.131.39:2817 10.0.0.1:80'
...     ' 0.001 4.205 -1 502 - 94 326 "GET http://example.com:80/a?b=c HTTP/1.1" "curl/7.51.0" - -'
...     ' arn:aws:elasticloadbalancing:us-east-1:123456789012:targetgroup/my-targets/73e2d6bc24d8a067'
...     ' "Root=1-58337262-36d228ad5d99923122bbe354"')
>>> row = parse_line(line, origin="alb.log:1")
>>> row.target_ms, row.response_ms, row.status, row.target_status, row.path
(4205.0, None, 502, None, '/a')
"""

import re

from apigw_doctor.evidence.tables import LoadBalancerRequest
from apigw_doctor.model.ids import trace_root
from apigw_doctor.model.times import parse_time
from apigw_doctor.sources.json_values import cite, number, text, whole

_TYPES = ("http ", "https ", "h2 ", "grpcs ", "ws ", "wss ")
_FIELD = re.compile(r'"((?:[^"\\]|\\.)*+)"?|(\S+)')
_URL = re.compile(r"\w+://(\[[^\]\s]*\]|[^/:?\s]*)(?::\d+)?([^?\s]*)")
#: Everything up to the request line; lines of 2016 end soon after.
_LEAST_FIELDS = 13
_TRACE, _CREATED, _ERROR_REASON = 17, 21, 24


def parse_line(line: str, origin: str) -> LoadBalancerRequest | None:
    """Read one line; None when it is no line of this log."""
    if not line.startswith(_TYPES):
        return None
    fields = [quoted or bare for quoted, bare in _FIELD.findall(line)]
    if len(fields) < _LEAST_FIELDS or "/" not in fields[2]:
        return None
    ended_at = parse_time(fields[1])
    if ended_at is None or (whole(fields[8]) is None and fields[8] != "-"):
        return None
    method, host, path = _request(fields[12])
    created = _nth(fields, _CREATED)
    return LoadBalancerRequest(
        ended_at=ended_at,
        created_at=parse_time(created) if created else None,
        load_balancer=fields[2],
        client=text(fields[3]),
        target=text(fields[4]),
        request_ms=_ms(fields[5]),
        target_ms=_ms(fields[6]),
        response_ms=_ms(fields[7]),
        status=whole(fields[8]),
        target_status=whole(fields[9]),
        method=method,
        host=host,
        path=path,
        trace_id=trace_root(_nth(fields, _TRACE) or ""),
        error_reason=_nth(fields, _ERROR_REASON),
        cites=cite(origin, line),
    )


def _nth(fields: list[str], index: int) -> str | None:
    return text(fields[index]) if index < len(fields) else None


def _ms(seconds: str) -> float | None:
    value = number(seconds)
    return round(value * 1000.0, 3) if value is not None and value >= 0 else None


def _request(request: str) -> tuple[str | None, str | None, str | None]:
    """Method, host and path of `GET http://host:80/path?query HTTP/1.1`; the query may hold secrets and is left out."""
    method, _, rest = request.partition(" ")
    match = _URL.match(rest)
    if match is None:
        return text(method), None, None
    return text(method), text(match[1]), match[2] or "/"
