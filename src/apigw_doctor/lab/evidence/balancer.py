"""Access log of Application Load Balancers: one line a request, in the fields of 2025.

Times of parts that never took place are `-1`, and what was never known is `-`.
"""

from apigw_doctor.lab.evidence.forms import digest, iso_micros
from apigw_doctor.lab.records import BalancerEntry

_PORTS = {"http": 80, "https": 443}


def balancer_line(entry: BalancerEntry, *, region: str, account_id: str) -> str:
    """The line of one request."""
    scheme = entry.url.partition(":")[0]
    name = entry.balancer.split("/")[1] if "/" in entry.balancer else entry.balancer
    arn = f"arn:aws:elasticloadbalancing:{region}:{account_id}:targetgroup/{name}/{digest('targets', name)[:16]}"
    status = _or_dash(entry.target_status)
    trace = "-" if entry.trace_id is None else f"Root={entry.trace_id.removeprefix('Root=')}"
    secure = scheme == "https"
    fields = (
        scheme,
        iso_micros(entry.ended_at),
        entry.balancer,
        entry.client,
        entry.target or "-",
        _seconds(entry.request_ms),
        _seconds(entry.target_ms),
        _seconds(entry.response_ms),
        str(entry.status),
        status,
        str(entry.received_bytes),
        str(entry.sent_bytes),
        f'"{entry.method} {_with_port(entry.url, scheme)} HTTP/1.1"',
        f'"{_quoted(entry.user_agent)}"',
        "ECDHE-RSA-AES128-GCM-SHA256" if secure else "-",
        "TLSv1.2" if secure else "-",
        arn,
        f'"{trace}"',
        f'"{_host(entry.url)}"' if secure else '"-"',
        '"-"',
        "0",
        iso_micros(entry.created_at),
        '"forward"',
        '"-"',
        f'"{entry.error_reason or "-"}"',
        f'"{entry.target or "-"}"',
        f'"{status}"',
        '"-"',
        '"-"',
        f"TID_{digest('connection', entry.client)}",
    )
    return " ".join(fields)


def _seconds(milliseconds: float) -> str:
    return "-1" if milliseconds < 0 else f"{milliseconds / 1000.0:.3f}"


def _or_dash(value: int | None) -> str:
    return "-" if value is None else str(value)


def _quoted(text: str) -> str:
    return text.replace("\\", "\\\\").replace('"', '\\"')


def _host(url: str) -> str:
    return url.partition("://")[2].partition("/")[0].partition(":")[0]


def _with_port(url: str, scheme: str) -> str:
    """The request line always names the port, and a path."""
    head, _, rest = url.partition("://")
    host, _, path = rest.partition("/")
    return f"{head}://{host if ':' in host else f'{host}:{_PORTS.get(scheme, 80)}'}/{path}"
