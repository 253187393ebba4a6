"""L, the integration's effective limit: read where it can be read, never assumed where it was seen.

Order: the configured value; else what the log shows (`Sending request to` until the timeout error); else the
default of the API type. A configured value that the log contradicts by more than a second was not in force.
"""

import msgspec

from apigw_doctor.evidence.tables import ApiSettings, Evidence, GatewayRequest, IntegrationSettings
from apigw_doctor.limits.defaults import default_integration_limit_ms
from apigw_doctor.model.terms import ApiType, LimitBasis

#: "About" a limit, in milliseconds: real cuts were seen up to 230 ms late at the client.
ABOUT_MS = 500.0
_CONTRADICTION_MS = 1000.0


class Limit(msgspec.Struct, frozen=True):
    """The effective limit, where it is known from, and the API type's default."""

    limit_ms: float
    basis: LimitBasis
    default_ms: float


RouteKey = tuple[str | None, str | None, str | None, str | None]


class EffectiveLimits:
    """Answers for every request of one evidence."""

    def __init__(self, evidence: Evidence) -> None:
        self._integrations = evidence.integrations
        self._apis = {api.api_id: api for api in evidence.apis}
        self._observed: dict[RouteKey, float] = {}
        for request in evidence.requests:
            measured = measured_limit_ms(request)
            if measured is not None:
                key = route_key(request)
                self._observed[key] = min(measured, self._observed.get(key, measured))

    def of(self, request: GatewayRequest) -> Limit:
        """The limit that held for one request."""
        setting = self._setting(request)
        default = self._default_ms(request, setting)
        own = measured_limit_ms(request)
        configured = setting.timeout_ms if setting is not None else None
        if configured is not None and (own is None or abs(own - configured) <= _CONTRADICTION_MS):
            return Limit(configured, LimitBasis.CONFIGURED, default)
        if own is None:
            own = self._observed.get(route_key(request))
        if own is not None:
            return Limit(own, LimitBasis.OBSERVED, default)
        shown = self._shown_ms(request, default)
        if shown is not None:
            return Limit(shown, LimitBasis.OBSERVED, default)
        return Limit(default, LimitBasis.DEFAULT, default)

    def _default_ms(self, request: GatewayRequest, setting: IntegrationSettings | None) -> float:
        api: ApiSettings | None = self._apis.get(request.api_id or "")
        api_type = request.api_type
        if api_type is ApiType.UNKNOWN:
            api_type = api.api_type if api else setting.api_type if setting else ApiType.UNKNOWN
        endpoint = request.endpoint_type or (api.endpoint_type if api else None)
        mode = request.transfer_mode or (setting.transfer_mode if setting else None)
        return default_integration_limit_ms(api_type.value, endpoint, mode)

    def _setting(self, request: GatewayRequest) -> IntegrationSettings | None:
        fitting = [(score, row) for row in self._integrations if (score := _fit(row, request)) > 0]
        if not fitting:
            alone = [row for row in self._integrations if _fit(row, request) == 0]
            values = {row.timeout_ms for row in alone}
            return alone[0] if len(values) == 1 and len(alone) == len(self._integrations) else None
        best = max(score for score, _ in fitting)
        rows = [row for score, row in fitting if score == best]
        return rows[0] if len({row.timeout_ms for row in rows}) == 1 else None

    def _shown_ms(self, request: GatewayRequest, default: float) -> float | None:
        """A timeout whose latency is far from the default shows the limit by that alone."""
        if not stated_timeout(request):
            return None
        shown = request.integration_latency_ms
        if shown is None and request.response_latency_ms is not None and request.authorizer_latency_ms is None:
            shown = request.response_latency_ms
        if shown is None and request.failed_at is not None and request.started_at is not None:
            shown = request.failed_at - request.started_at
        if shown is None or shown <= 0 or abs(shown - default) <= ABOUT_MS:
            return None
        return rounded_limit_ms(shown)


def route_key(request: GatewayRequest) -> RouteKey:
    """Requests with the same key share an integration."""
    return (request.api_id, request.stage, request.method, request.route or request.function)


def measured_limit_ms(request: GatewayRequest) -> float | None:
    """The limit as the execution log shows it: from sending to the timeout error."""
    if not stated_timeout(request) or request.sending_at is None or request.failed_at is None:
        return None
    measured = request.failed_at - request.sending_at
    return rounded_limit_ms(measured) if measured > 0 else None


def rounded_limit_ms(measured_ms: float) -> float:
    """The round number that a timer was set to: timers fire late by milliseconds, never early."""
    for step, late in ((1000.0, 250.0), (500.0, 150.0), (100.0, 60.0)):
        below = (measured_ms + 20.0) // step * step
        if below and -20.0 <= measured_ms - below <= late:
            return below
    return round(measured_ms)


def stated_timeout(request: GatewayRequest) -> bool:
    """The gateway says in words that the integration timed out."""
    return (
        request.response_type == "INTEGRATION_TIMEOUT"
        or "timeout error" in (request.failure or "")
        or "Endpoint request timed out" in (request.error_message or "")
        or "Endpoint request timed out" in (request.failure or "")
    )


def _fit(row: IntegrationSettings, request: GatewayRequest) -> int:
    """How well a setting fits a request: below 0 not at all, 0 nothing speaks for or against, else more is better."""
    score = 0
    for ours, theirs, weight in (
        (row.api_id, request.api_id, 1),
        (row.route, request.route, 4),
        (row.method, request.method, 2),
        (row.function, request.function, 3),
    ):
        if ours is None or theirs is None or ours == "ANY":
            continue
        if ours != theirs:
            return -1
        score += weight
    if request.api_type is not ApiType.UNKNOWN and row.api_type not in (ApiType.UNKNOWN, request.api_type):
        return -1
    return score
