"""What callers saw on their terminals: `time curl -v` of requests, `wscat` of WebSocket connections."""

from collections.abc import Iterator
from urllib.parse import urlsplit

from apigw_doctor.lab.evidence.forms import http_date, whole
from apigw_doctor.lab.records import ClientEntry

#: told anyway
_OF_CURL = ("host", "user-agent", "accept")
_ADDRESS, _PORT = "198.51.100.7", 443


def transcripts(entries: list[ClientEntry]) -> Iterator[str]:
    """One terminal a request, or a connection of a WebSocket API; in the order in which they began."""
    connections: dict[str, list[ClientEntry]] = {}
    for entry in entries:
        if entry.connection_id is not None:
            connections.setdefault(entry.connection_id, []).append(entry)
    for entry in entries:
        if entry.connection_id is None:
            yield curl(entry)
        elif (frames := connections.pop(entry.connection_id, None)) is not None:
            yield wscat(frames)


def curl(entry: ClientEntry) -> str:
    """`time curl -v` of one request, over HTTP/2."""
    url = urlsplit(entry.url)
    host, port = url.hostname or "", url.port or _PORT
    target = f"{url.path or '/'}{'?' + url.query if url.query else ''}"
    lines = [
        f"*   Trying {_ADDRESS}:{port}...",
        f"* Connected to {host} ({_ADDRESS}) port {port}",
        "* ALPN: server accepted h2",
        "* using HTTP/2",
        f"> {entry.method} {target} HTTP/2",
        f"> Host: {host}",
        "> User-Agent: curl/8.5.0",
        "> Accept: */*",
        *(f"> {name}: {text}" for name, text in entry.sent.items() if name.lower() not in _OF_CURL),
        ">",
    ]
    lines.extend(_timed_out(entry) if entry.status is None else _answered(entry, host))
    return "\n".join([*lines, *_time(entry), ""])


def wscat(frames: list[ClientEntry]) -> str:
    """`wscat` on one connection: what came in, and whether the handshake failed."""
    if frames[0].status is not None and frames[0].status >= 400:
        return f"error: Unexpected server response: {frames[0].status}\n"
    received = (f"< {frame.body}" for frame in frames if frame.body)
    return "\n".join(["Connected (press CTRL+C to quit)", *received, ""])


def _answered(entry: ClientEntry, host: str) -> Iterator[str]:
    headers = {name.lower(): value for name, value in entry.headers.items()}
    headers = {"date": http_date(entry.ended_at), "content-type": "application/json"} | headers
    # HTTP/2 has neither.
    headers = {name: text for name, text in headers.items() if name not in ("connection", "transfer-encoding")}
    headers.setdefault("content-length", str(len(entry.body.encode())))
    yield f"< HTTP/2 {entry.status} "
    yield from (f"< {name}: {value}" for name, value in headers.items())
    yield "< "
    yield f"* Connection #0 to host {host} left intact"
    if entry.body:
        yield entry.body


def _timed_out(entry: ClientEntry) -> Iterator[str]:
    spent = whole(entry.ended_at - entry.started_at)
    if entry.timed_out:
        said = f"Operation timed out after {spent} milliseconds with 0 bytes received"
        yield f"* {said}"
        yield "* Closing connection"
        yield f"curl: (28) {said}"
    else:
        yield "* Recv failure: Connection reset by peer"
        yield "* Closing connection"
        yield "curl: (56) Recv failure: Connection reset by peer"


def _time(entry: ClientEntry) -> Iterator[str]:
    minutes, seconds = divmod((entry.ended_at - entry.started_at) / 1000.0, 60.0)
    yield ""
    yield f"real\t{minutes:.0f}m{seconds:.3f}s"
    yield "user\t0m0.021s"
    yield "sys\t0m0.008s"
