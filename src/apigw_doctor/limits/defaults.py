"""Which integration timeout holds for an API when its configuration was not seen.

"29 seconds" is several facts: the kind of API, the endpoint type of a REST API and the transfer
mode of the method decide the default, how high it may be set, and whether a quota moves it.
"""

from apigw_doctor.limits.table import Limit, limit, value

_API_TYPES = frozenset({"rest", "http", "websocket", "unknown"})
_REST_BY_ENDPOINT = {
    "regional": "rest-regional-integration-timeout",
    "private": "rest-private-integration-timeout",
    "edge": "rest-edge-integration-timeout",
}


def default_integration_limit_ms(
    api_type: str, endpoint_type: str | None = None, transfer_mode: str | None = None
) -> float:
    """Return the integration timeout in ms that holds when nobody has set one.

    `api_type` is rest, http, websocket or unknown (taken as REST, the stricter and older one);
    `endpoint_type` is AWS's EDGE, REGIONAL or PRIVATE; `transfer_mode` is BUFFERED or STREAM.
    Case does not matter. That STREAM alone leaves the default at 29,000 ms is inferred, see
    `rest-stream-integration-timeout`.
    """
    return value(_integration_limit(api_type, endpoint_type, transfer_mode).id)


def ceiling_integration_limit_ms(
    api_type: str, endpoint_type: str | None = None, transfer_mode: str | None = None
) -> float | None:
    """Return the highest integration timeout in ms that AWS accepts.

    `None` where no fixed number holds: the account's quota decides (Regional and private REST
    APIs), or the kind of API or its endpoint type is not known.
    """
    if not _is_known(api_type, endpoint_type, transfer_mode):
        return None
    return _integration_limit(api_type, endpoint_type, transfer_mode).maximum


def raisable(api_type: str, endpoint_type: str | None = None) -> bool | None:
    """Tell whether a quota request can raise the default; `None` when that is not known.

    This is about buffered responses. A streaming REST method may be set to its ceiling without
    any quota request, whatever its endpoint type.
    """
    if not _is_known(api_type, endpoint_type, None):
        return None
    return _integration_limit(api_type, endpoint_type, None).adjustable


def _is_known(api_type: str, endpoint_type: str | None, transfer_mode: str | None) -> bool:
    if _checked(api_type) != "rest":
        return api_type.lower() != "unknown"
    return _is_stream(transfer_mode) or (endpoint_type or "").lower() in _REST_BY_ENDPOINT


def _integration_limit(api_type: str, endpoint_type: str | None, transfer_mode: str | None) -> Limit:
    match _checked(api_type):
        case "http":
            return limit("http-integration-timeout")
        case "websocket":
            return limit("websocket-integration-timeout")
        case "rest" if _is_stream(transfer_mode):
            return limit("rest-stream-integration-timeout")
    # The three endpoint types share one default; only the way up differs.
    return limit(_REST_BY_ENDPOINT.get((endpoint_type or "").lower(), "rest-regional-integration-timeout"))


def _checked(api_type: str) -> str:
    kind = api_type.lower()
    if kind not in _API_TYPES:
        raise ValueError(f"api_type {api_type!r} is none of {', '.join(sorted(_API_TYPES))}")
    return kind


def _is_stream(transfer_mode: str | None) -> bool:
    return (transfer_mode or "").upper() == "STREAM"
