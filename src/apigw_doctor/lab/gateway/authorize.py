"""Asks the Lambda authorizer of a route; its time is not the integration's.

HTTP APIs give an authorizer 10 s. No page names a limit for REST and WebSocket APIs: the lab takes the default of
their integrations, unless the setup says otherwise.
"""

import asyncio
from collections import OrderedDict
from typing import Any

import msgspec

from apigw_doctor.lab.clock import Clock
from apigw_doctor.lab.gateway.answers import error_text
from apigw_doctor.lab.gateway.arrival import Admission, Arrival
from apigw_doctor.lab.gateway.events import encode, method_arn, request_event, token_event
from apigw_doctor.lab.gateway.integrate import trace_of
from apigw_doctor.lab.gateway.policies import PolicyError, judge
from apigw_doctor.lab.gateway.responses import Refusal, denied
from apigw_doctor.lab.gateway.tasks import Tasks
from apigw_doctor.lab.gateway.texts import parse
from apigw_doctor.lab.invoking import Answer, Invoker
from apigw_doctor.lab.records import AuthorizerCall
from apigw_doctor.lab.setup import LabApi, LabAuthorizer
from apigw_doctor.limits.defaults import default_integration_limit_ms
from apigw_doctor.limits.table import value
from apigw_doctor.model.terms import ApiType

_CONFIGURATION = "Execution failed due to configuration error: "
_FAILED_LINE = f"{_CONFIGURATION}Authorizer error"
_AFTER_CONFIGURATION = "AuthorizerConfigurationException"
_NOT_AUTHORIZED = "The client is not authorized to perform this operation."
_HTTP_PERMISSIONS = (
    "The IAM role configured on the authorizer or API Gateway doesn't have permissions to call the authorizer."
    " Check the permissions and try again."
)
_UNAUTHORIZED = "Unauthorized"
#: Cached answers that are kept at most.
_MAX_CACHED = 10_000
_OK, _NO_TOKEN, _DENIED, _FAILED = 200, 401, 403, 500


class Judged(msgspec.Struct, frozen=True, kw_only=True):
    """What an authorizer said: an admission, or why there is none."""

    call: AuthorizerCall
    admission: Admission | None = None
    refusal: Refusal | None = None


class _Said(msgspec.Struct, frozen=True, kw_only=True):
    """An answer that can be read; kept in the cache."""

    #: of a simple response; a policy is judged anew for every method
    allowed: bool | None = None
    policy: Any = None
    principal: str | None = None
    context: dict[str, Any] = {}


class _UnreadableError(ValueError):
    """The authorizer's answer is none."""


def authorizer_limit_ms(api: LabApi, authorizer: LabAuthorizer) -> float:
    """How long the gateway waits for this authorizer."""
    if authorizer.timeout_ms is not None:
        return authorizer.timeout_ms
    if api.api_type is ApiType.HTTP:
        return value("http-authorizer-timeout")
    return default_integration_limit_ms(str(api.api_type), api.endpoint_type)


class Authorizers:
    """The authorizers of one API, and what they said lately."""

    def __init__(self, api: LabApi, invoker: Invoker, clock: Clock, background: Tasks) -> None:
        self._api, self._invoker, self._clock, self._background = api, invoker, clock, background
        self._cache: OrderedDict[tuple[str, str], tuple[float, _Said]] = OrderedDict()

    async def judge(self, arrival: Arrival, authorizer: LabAuthorizer) -> Judged:
        """Whether the request may pass."""
        began = self._clock.now_ms()
        call = AuthorizerCall(authorizer_id=authorizer.id, started_at=began, ended_at=began, status=_OK)
        token = arrival.header("Authorization")
        if not token and self._needs_token(authorizer):
            return self._refused(call, _NO_TOKEN, Refusal(kind="UNAUTHORIZED"))
        key = (authorizer.id, token or "")
        if (said := self._cached(key, began)) is not None:
            return self._read(msgspec.structs.replace(call, cached=True), arrival, authorizer, said)
        return await self._ask(call, arrival, authorizer, key)

    def _needs_token(self, authorizer: LabAuthorizer) -> bool:
        """A REQUEST authorizer has an identity source where it caches, and always on HTTP APIs by default."""
        return authorizer.kind == "TOKEN" or authorizer.cache_ttl_s > 0 or self._api.api_type is ApiType.HTTP

    async def _ask(
        self, call: AuthorizerCall, arrival: Arrival, authorizer: LabAuthorizer, key: tuple[str, str]
    ) -> Judged:
        event = (
            token_event(arrival, self._api, key[1])
            if authorizer.kind == "TOKEN"
            else request_event(arrival, self._api, authorizer)
        )
        trace = trace_of(arrival, self._api)
        asked = self._background.start(
            self._invoker.invoke(authorizer.function, encode(event), trace=trace, plan=arrival.authorizer_plan)
        )
        done, _ = await asyncio.wait({asked}, timeout=authorizer_limit_ms(self._api, authorizer) / 1000.0)
        call = msgspec.structs.replace(call, ended_at=self._clock.now_ms())
        if not done:
            return self._failed(msgspec.structs.replace(call, timed_out=True))
        if isinstance(asked.exception(), KeyError):
            return self._not_permitted(call)
        answer = asked.result()
        call = msgspec.structs.replace(call, integration_status=answer.status, request_id=answer.request_id)
        if answer.status != _OK or answer.function_error is not None:
            return self._function_failed(call, answer)
        try:
            said = _said(answer.payload)
            judged = self._read(call, arrival, authorizer, said)
        except (_UnreadableError, PolicyError):
            return self._unreadable(call)
        self._keep(key, said, authorizer)
        return judged

    def _read(self, call: AuthorizerCall, arrival: Arrival, authorizer: LabAuthorizer, said: _Said) -> Judged:
        verdict = said.allowed
        explicit = True
        if verdict is None:
            of_policy = judge(said.policy, method_arn(arrival, self._api))
            verdict, explicit = of_policy == "allow", of_policy == "deny"
        call = msgspec.structs.replace(call, principal=said.principal)
        if not verdict:
            return self._refused(call, _DENIED, denied(explicit=explicit, lines=(_NOT_AUTHORIZED,)))
        latency = 0 if call.cached else round(call.ended_at - call.started_at)
        admission = Admission(authorizer=authorizer, principal=said.principal, context=said.context, latency_ms=latency)
        return Judged(call=call, admission=admission)

    def _function_failed(self, call: AuthorizerCall, answer: Answer) -> Judged:
        said = error_text(answer.payload)
        if answer.status == _OK and said == _UNAUTHORIZED:
            # Raising exactly this is how an authorizer asks for a 401 (AWS: Lambda authorizers).
            return self._refused(call, _NO_TOKEN, Refusal(kind="UNAUTHORIZED"))
        return self._failed(msgspec.structs.replace(call, timed_out="Task timed out" in said))

    def _failed(self, call: AuthorizerCall) -> Judged:
        refusal = Refusal(kind="AUTHORIZER_FAILURE", failure_lines=(_FAILED_LINE,))
        return self._refused(msgspec.structs.replace(call, error="Internal server error"), _FAILED, refusal)

    def _unreadable(self, call: AuthorizerCall) -> Judged:
        lines = (f"{_CONFIGURATION}Could not parse policy", _AFTER_CONFIGURATION)
        refusal = Refusal(kind="AUTHORIZER_CONFIGURATION_ERROR", failure_lines=lines)
        return self._refused(msgspec.structs.replace(call, error="Could not parse policy"), _FAILED, refusal)

    def _not_permitted(self, call: AuthorizerCall) -> Judged:
        lines = (f"{_CONFIGURATION}Invalid permissions on Lambda function", _AFTER_CONFIGURATION)
        http = self._api.api_type is ApiType.HTTP
        error = _HTTP_PERMISSIONS if http else "Invalid permissions on Lambda function"
        call = msgspec.structs.replace(call, integration_status=_DENIED, error=error)
        return self._refused(call, _FAILED, Refusal(kind="AUTHORIZER_CONFIGURATION_ERROR", failure_lines=lines))

    def _refused(self, call: AuthorizerCall, status: int, refusal: Refusal) -> Judged:
        return Judged(call=msgspec.structs.replace(call, status=status), refusal=refusal)

    def _cached(self, key: tuple[str, str], now_ms: float) -> _Said | None:
        expires_at, said = self._cache.get(key, (0.0, None))
        return said if now_ms < expires_at else None

    def _keep(self, key: tuple[str, str], said: _Said, authorizer: LabAuthorizer) -> None:
        if authorizer.cache_ttl_s <= 0:
            return
        self._cache[key] = (self._clock.now_ms() + authorizer.cache_ttl_s * 1000.0, said)
        self._cache.move_to_end(key)
        if len(self._cache) > _MAX_CACHED:
            self._cache.popitem(last=False)


def _said(payload: bytes) -> _Said:
    answer = parse(payload)
    if not isinstance(answer, dict):
        raise _UnreadableError("no object")
    context = answer.get("context") or {}
    if not isinstance(context, dict):
        raise _UnreadableError("the context is no object")
    principal = answer.get("principalId")
    if isinstance(answer.get("isAuthorized"), bool):
        return _Said(allowed=answer["isAuthorized"], context=context)
    if "policyDocument" not in answer or not isinstance(principal, str):
        raise _UnreadableError("no policy")
    return _Said(policy=answer["policyDocument"], principal=principal, context=context)
