r"""What a function answered, read as the proxy formats say.

>>> read_answer(b'{"statusCode": 201, "body": "made"}').status
201
>>> read_answer(b'{"body": {"no": "text"}}') is None
True
>>> read_lenient(b'{"ok": true}').body
b'{"ok": true}'
"""

import binascii
import re
from base64 import b64decode
from typing import Any

import msgspec

from apigw_doctor.lab.gateway.texts import parse

#: Other members make an answer malformed on REST APIs, as do wrong types.
_MEMBERS = frozenset({"statusCode", "headers", "multiValueHeaders", "body", "isBase64Encoded"})
_JSON_TYPE = ("Content-Type", "application/json")
_TEXT_TYPE = ("Content-Type", "text/plain; charset=utf-8")
#: 1xx would end no request.
_LOWEST_STATUS, _HIGHEST_STATUS, _OK = 200, 599, 200
#: What a header may be called (RFC 9110).
_TOKEN = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
#: Between the metadata and the body of an answer that is streamed.
_DELIMITER = b"\x00" * 8

Headers = tuple[tuple[str, str], ...]


class ProxyAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """Status, headers and body that the function wants the client to get."""

    status: int
    headers: Headers = ()
    body: bytes = b""
    #: whether there was a body at all
    has_body: bool = False


def read_answer(payload: bytes) -> ProxyAnswer | None:
    """Proxy format 1.0; None: malformed."""
    answer = parse(payload)
    if not isinstance(answer, dict) or not answer.keys() <= _MEMBERS:
        return None
    return _structured(answer, _JSON_TYPE)


def read_lenient(payload: bytes) -> ProxyAnswer | None:
    """Format 2.0: an answer without `statusCode` is the body of a 200."""
    answer = parse(payload)
    if answer is None and payload.strip() != b"null":
        return None
    if isinstance(answer, dict) and "statusCode" in answer:
        cookies = answer.pop("cookies", None) or []
        if not isinstance(cookies, list):
            return None
        found = _structured(answer, _TEXT_TYPE)
        added = tuple(("Set-Cookie", str(one)) for one in cookies)
        return found if found is None or not added else msgspec.structs.replace(found, headers=found.headers + added)
    body = answer.encode() if isinstance(answer, str) else payload
    return ProxyAnswer(status=_OK, headers=(_JSON_TYPE,), body=body, has_body=True)


def read_socket(payload: bytes) -> ProxyAnswer | None:
    """A WebSocket message's answer: without `statusCode` it is a success that says nothing."""
    answer = parse(payload)
    if not isinstance(answer, dict) or "statusCode" not in answer:
        return ProxyAnswer(status=_OK)
    return _structured(answer, _JSON_TYPE)


def read_streamed(payload: bytes) -> ProxyAnswer | None:
    """Metadata, eight zero bytes, and the body as it is; or the proxy format."""
    head, found, body = payload.partition(_DELIMITER)
    answer = read_answer(head)
    if answer is None or not found:
        return answer
    return msgspec.structs.replace(answer, body=body, has_body=True)


def error_text(payload: bytes) -> str:
    """What a failed function said of its failure."""
    answer = parse(payload)
    if isinstance(answer, dict) and isinstance(answer.get("errorMessage"), str):
        return str(answer["errorMessage"])
    return payload.decode(errors="replace")


def service_text(payload: bytes) -> str:
    """What the Lambda service said of a call that it refused."""
    answer = parse(payload)
    if not isinstance(answer, dict):
        return ""
    said = answer.get("message") or answer.get("Message")
    return said if isinstance(said, str) else ""


def _structured(answer: dict[str, Any], default_type: tuple[str, str]) -> ProxyAnswer | None:
    status, headers, body = _status(answer), _headers(answer), answer.get("body")
    encoded = answer.get("isBase64Encoded") or False
    if status is None or headers is None or not isinstance(body, str | None) or not isinstance(encoded, bool):
        return None
    data = (body or "").encode(errors="replace")
    if encoded:
        try:
            data = b64decode(data, validate=True)
        except binascii.Error:
            return None
    if not any(name.lower() == "content-type" for name, _ in headers):
        headers = (default_type, *headers)
    return ProxyAnswer(status=status, headers=headers, body=data, has_body=body is not None)


def _status(answer: dict[str, Any]) -> int | None:
    given = answer.get("statusCode", _OK)
    if isinstance(given, str) and given.isascii() and given.isdigit():
        given = int(given)
    if not isinstance(given, int) or isinstance(given, bool) or not _LOWEST_STATUS <= given <= _HIGHEST_STATUS:
        return None
    return given


def _headers(answer: dict[str, Any]) -> Headers | None:
    single, several = answer.get("headers") or {}, answer.get("multiValueHeaders") or {}
    if not isinstance(single, dict) or not isinstance(several, dict):
        return None
    pairs: list[tuple[str, Any]] = []
    for name, values in several.items():
        if not isinstance(values, list):
            return None
        pairs += [(name, value) for value in values]
    # A name that stands in both keeps its list only.
    listed = {name.lower() for name in several}
    pairs = [(name, value) for name, value in single.items() if name.lower() not in listed] + pairs
    if not all(_TOKEN.fullmatch(name) and isinstance(value, str | int | float) for name, value in pairs):
        return None
    return tuple((name, _as_text(value)) for name, value in pairs)


def _as_text(value: str | float) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)
