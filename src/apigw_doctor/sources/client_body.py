r"""Response bodies and WebSocket frames that the gateway itself writes, told from an application's own JSON.

>>> parse_body({"message": "Endpoint request timed out", "connectionId": "Llf4=", "requestId": "Llf7="}, "ws:1").frame
True
>>> parse_body({"message": "Endpoint request timed out", "level": "INFO"}, "app:1") is None
True
"""

import re

from apigw_doctor.evidence.tables import ClientReply
from apigw_doctor.model.ids import EXTENDED
from apigw_doctor.sources.json_values import cite, text

_KEYS = frozenset({"message", "connectionId", "requestId"})
#: Texts of the gateway's default responses (REST: gateway response types; HTTP and WebSocket APIs: as seen).
_OWN_TEXTS = frozenset(
    {
        "endpoint request timed out",
        "service unavailable",
        "internal server error",
        "network error communicating with endpoint",
        "too many requests",
        "limit exceeded",
        "gateway timeout",
        "there was an error evaluating the aws waf rules associated with this api",
    }
)
_TITLE = re.compile(r"<(h1|title)[^>]{0,200}>([^<]{1,200})</\1>", re.IGNORECASE)
_MESSAGE_CHARS = 300


def parse_body(value: object, origin: str) -> ClientReply | None:
    """A body or frame of the gateway as a reply of which nothing else is known; None when it is none."""
    if not isinstance(value, dict) or not value or not value.keys() <= _KEYS or "message" not in value:
        return None
    message = value["message"]
    if message is None:
        # An authorizer that failed: the body is exactly {"message": null}.
        return ClientReply(cites=cite(origin, value)) if len(value) == 1 else None
    connection_id, request_id = text(value.get("connectionId")), text(value.get("requestId"))
    if not isinstance(message, str) or not _is_gateways(message, connection_id, request_id):
        return None
    return ClientReply(
        message=message,
        request_id=request_id,
        connection_id=connection_id,
        frame=connection_id is not None,
        cites=cite(origin, value),
    )


def _is_gateways(message: str, connection_id: str | None, request_id: str | None) -> bool:
    if message.strip().rstrip(".").lower() in _OWN_TEXTS:
        return True
    frame = connection_id is not None and EXTENDED.fullmatch(connection_id) is not None
    return frame and request_id is not None and EXTENDED.fullmatch(request_id) is not None


def message_of(body: object) -> str | None:
    """What a body says in words: its `message`, or the heading of an HTML page."""
    if isinstance(body, dict):
        said = text(body.get("message")) or text(body.get("Message"))
        return said[:_MESSAGE_CHARS] if said else None
    if not isinstance(body, str):
        return None
    titles = {match[1].lower(): match[2].strip() for match in _TITLE.finditer(body)}
    said = titles.get("h1") or titles.get("title") or ("" if body.lstrip().startswith("<") else body.strip())
    return said[:_MESSAGE_CHARS] or None
