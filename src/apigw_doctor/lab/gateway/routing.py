"""Which route serves a request.

A REST API looks for the resource first - fixed segments before `{id}` before `{proxy+}` - and then for its method; an
HTTP API takes the most specific route that fits path and method, and `$default` last.
"""

from collections.abc import Iterable
from urllib.parse import unquote

import msgspec

from apigw_doctor.lab.setup import LabApi, LabRoute
from apigw_doctor.model.terms import ApiType

_ANY = "ANY"
DEFAULT = "$default"
#: How specific a segment of a resource path is; the lower, the more.
_FIXED, _VARIABLE, _GREEDY = 0, 1, 2


class Match(msgspec.Struct, frozen=True, kw_only=True):
    """A route that fits, and the path parameters as they were sent; `route` None: nothing fits."""

    route: LabRoute | None
    path: str
    raw_parameters: dict[str, str] = {}

    @property
    def path_parameters(self) -> dict[str, str]:
        """Decoded."""
        return {name: unquote(value) for name, value in self.raw_parameters.items()}


def find_route(api: LabApi, method: str, raw_path: str) -> Match:
    """The route of a request; its path may begin with the stage or not."""
    paths = list(_without_stage(api, raw_path))
    for path in paths:
        match = _find(api, method, path)
        if match.route is not None:
            return match
    return Match(route=None, path=paths[0])


def _without_stage(api: LabApi, raw_path: str) -> Iterable[str]:
    head, _, rest = raw_path.removeprefix("/").partition("/")
    if api.stage != DEFAULT and unquote(head) == api.stage:
        yield f"/{rest}"
    yield raw_path or "/"


def _find(api: LabApi, method: str, path: str) -> Match:
    rest = api.api_type is ApiType.REST
    given = _segments(path, rest=rest)
    fits = []
    for route in api.routes:
        parameters = _fit(_segments(route.path, rest=rest), given) if route.path.startswith("/") else None
        if parameters is not None:
            fits.append((_rank(route), route, parameters))
    fits.sort(key=lambda one: (one[0], one[1].method.upper() == _ANY))
    if rest:
        # The resource is chosen before the method: a less specific resource with this method is not asked.
        fits = [one for one in fits if one[0] == fits[0][0]]
    for _, route, parameters in fits:
        if route.method.upper() in (method.upper(), _ANY):
            return Match(route=route, path=path, raw_parameters=parameters)
    fallback = next((route for route in api.routes if route.path == DEFAULT), None)
    return Match(route=None if rest else fallback, path=path)


def _segments(path: str, *, rest: bool) -> list[str]:
    # A REST API does not mind a slash at the end; for an HTTP API it is another path.
    bare = path.removeprefix("/")
    return (bare.removesuffix("/") if rest else bare).split("/")


def _rank(route: LabRoute) -> tuple[int, ...]:
    return tuple(
        _GREEDY if one.endswith("+}") else _VARIABLE if one.startswith("{") else _FIXED
        for one in route.path.strip("/").split("/")
    )


def _fit(wanted: list[str], given: list[str]) -> dict[str, str] | None:
    parameters: dict[str, str] = {}
    for number, segment in enumerate(wanted):
        if segment.startswith("{") and segment.endswith("+}"):
            rest = "/".join(given[number:])
            return parameters | {segment[1:-2]: rest} if rest else None
        if number >= len(given):
            return None
        if segment.startswith("{") and segment.endswith("}"):
            if not given[number]:
                return None
            parameters[segment[1:-1]] = given[number]
        elif segment != unquote(given[number]):
            return None
    return parameters if len(given) == len(wanted) else None
