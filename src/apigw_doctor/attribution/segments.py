"""The request's milliseconds, in order: authorizer, gateway, placement, init, function, silence.

Each stretch says whether both its ends stand in the evidence. What is left over between the gateway and the
invocation is network and placement, which are in no log line.
"""

from apigw_doctor.attribution.timeline import Clocks, Segment, Silence
from apigw_doctor.evidence.tables import GatewayRequest, LambdaInvocation, LoadBalancerRequest
from apigw_doctor.model.terms import Layer

#: The name of the stretch that a rule may charge to another layer.
SILENCE = "silence"
_SHORTEST_MS = 0.5


def segments_of(
    request: GatewayRequest | None,
    clocks: Clocks,
    invocation: LambdaInvocation | None,
    silence: Silence | None,
    load_balancer: LoadBalancerRequest | None,
) -> tuple[Segment, ...]:
    """The stretches of one request, clipped to the time until its answer or cut."""
    zero = _zero(request, invocation)
    if zero is None:
        return _without_times(clocks)
    end = clocks.cut_at if clocks.cut_at is not None else (invocation.finished_at if invocation else None)
    found: list[Segment] = []
    at = zero
    if request is not None:
        at = _before_sending(found, request, clocks, zero)
    if invocation is not None and invocation.begun_at is not None:
        at = _invocation(found, invocation, silence, zero, at, end)
    if end is not None and end - at > _SHORTEST_MS:
        layer, name = _rest(request, invocation, load_balancer)
        found.append(_segment(layer, name, zero, at, end, measured=invocation is not None))
    return tuple(found)


def _zero(request: GatewayRequest | None, invocation: LambdaInvocation | None) -> float | None:
    if request is not None:
        for at in (request.arrived_at, request.started_at, request.sending_at):
            if at is not None:
                return at
    return invocation.begun_at if invocation is not None else None


def _without_times(clocks: Clocks) -> tuple[Segment, ...]:
    if clocks.elapsed_ms is None:
        return ()
    found = []
    start = 0.0
    if clocks.authorizer_ms:
        found.append(Segment(layer=Layer.AUTHORIZER, name="authorizer", start_ms=0.0, duration_ms=clocks.authorizer_ms))
        start = clocks.authorizer_ms
    rest = clocks.elapsed_ms - start
    if rest > _SHORTEST_MS:
        found.append(Segment(layer=Layer.UNKNOWN, name="integration", start_ms=start, duration_ms=rest, measured=False))
    return tuple(found)


def _before_sending(found: list[Segment], request: GatewayRequest, clocks: Clocks, zero: float) -> float:
    at = zero
    if clocks.authorizer_ms:
        begin = request.authorizer_started_at if request.authorizer_started_at is not None else zero
        end = begin + clocks.authorizer_ms
        measured = request.authorizer_started_at is not None
        found.append(_segment(Layer.AUTHORIZER, "authorizer", zero, begin, end, measured=measured))
        at = end
    if request.sending_at is not None and request.sending_at - at > _SHORTEST_MS:
        found.append(_segment(Layer.GATEWAY, "gateway until sending", zero, at, request.sending_at))
        at = request.sending_at
    return at


def _invocation(
    found: list[Segment], row: LambdaInvocation, silence: Silence | None, zero: float, at: float, end: float | None
) -> float:
    begun = row.begun_at
    assert begun is not None  # noqa: S101 - the caller looked
    last = row.finished_at if row.finished_at is not None else end
    stop = min(value for value in (end, last, float("inf")) if value is not None)
    if begun - at > _SHORTEST_MS:
        found.append(_segment(Layer.NETWORK, "placement and network", zero, at, min(begun, stop), measured=False))
    at = max(at, begun)
    if row.started_at is not None and row.started_at - at > _SHORTEST_MS:
        init_end = min(row.started_at, stop)
        found.append(_segment(Layer.INIT, "init", zero, at, init_end))
        at = max(at, init_end)
    if silence is not None and silence.started_at < stop:
        if silence.started_at - at > _SHORTEST_MS:
            found.append(_segment(Layer.FUNCTION, "function", zero, at, silence.started_at))
        at = max(at, silence.started_at)
        quiet_end = min(silence.ended_at, stop)
        if quiet_end - at > _SHORTEST_MS:
            found.append(_segment(Layer.FUNCTION, SILENCE, zero, at, quiet_end))
        at = max(at, quiet_end)
    if stop != float("inf") and stop - at > _SHORTEST_MS:
        found.append(_segment(Layer.FUNCTION, "function", zero, at, stop))
        at = stop
    return at


def _rest(
    request: GatewayRequest | None, invocation: LambdaInvocation | None, load_balancer: LoadBalancerRequest | None
) -> tuple[Layer, str]:
    if invocation is not None:
        return Layer.NETWORK, "answer on its way"
    if load_balancer is not None or (request is not None and request.function is None and request.endpoint_uri):
        return Layer.BACKEND, "waiting for the backend"
    return Layer.UNKNOWN, "waiting for the integration"


def _segment(layer: Layer, name: str, zero: float, begin: float, end: float, *, measured: bool = True) -> Segment:
    return Segment(
        layer=layer,
        name=name,
        start_ms=round(begin - zero, 3),
        duration_ms=round(max(end - begin, 0.0), 3),
        measured=measured,
    )
