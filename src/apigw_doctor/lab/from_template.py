"""A user's template becomes what the lab serves.

Functions in Python run as they are; what cannot run on this machine is named with its place and its reason, and its
routes answer as if the function had failed. A value that the template does not tell is AWS's default, and is told.
"""

import zipfile
import zlib
from collections.abc import Iterable
from pathlib import Path
from typing import Any, TypeVar

import msgspec

from apigw_doctor.lab.scenarios.kit import access_format
from apigw_doctor.lab.setup import (
    ACCOUNT,
    REGION,
    GatewayResponse,
    LabApi,
    LabAuthorizer,
    LabFunction,
    LabRoute,
    LabSetup,
    LogLevel,
)
from apigw_doctor.limits.table import value
from apigw_doctor.model.errors import NothingReadable, UsageError
from apigw_doctor.model.terms import ApiType
from apigw_doctor.templates.intrinsics import Unresolved
from apigw_doctor.templates.model import (
    Api,
    Authorizer,
    Function,
    Integration,
    Record,
    Route,
    Stage,
    Template,
    known,
)

#: Provisioned environments are real processes here; more of them show nothing new.
MAX_PROVISIONED = 4
#: What `LabRoute.function` None asks for: a target that is not on this machine.
ELSEWHERE = ""
_REST_AUTHORIZER_TTL_S = 300
_HEADER = "gatewayresponse.header."
_INLINE_FILE = "index.py"
#: Modules that an execution environment has of its own.
_HIDDEN = ("lab", "virtual")

Known = TypeVar("Known")


class TemplateLab(msgspec.Struct, frozen=True, kw_only=True):
    """What a template comes to.

    `unavailable` has the reason for each function (by its name) that cannot run here, and for `ELSEWHERE`. `notes` are
    sentences for the user, each with its place.
    """

    setup: LabSetup
    unavailable: dict[str, str]
    notes: tuple[str, ...]


def template_lab(template: Template, folder: Path, api: str | None = None) -> TemplateLab:
    """The lab of one API of a template; code that the template holds is written into `folder`.

    Raises:
        DoctorError: no API, or several and none was chosen.
    """
    return _Reader(template, folder).lab(_chosen(template, api))


def _chosen(template: Template, wanted: str | None) -> Api:
    named = ", ".join(f"{one.logical_id} ({one.api_type.value}, {_count(one)})" for one in template.apis)
    if wanted is not None:
        for one in template.apis:
            if one.logical_id == wanted:
                return one
        raise UsageError(f"{template.file} has no API {wanted!r}", f"It has {named or 'none at all'}.")
    serving = [one for one in template.apis if one.routes]
    if len(serving) > 1:
        raise UsageError(f"{template.file} has several APIs: {named}", f"Choose one: --api {serving[0].logical_id}")
    if not serving:
        problem = next((one for one in template.problems), None)
        hint = f"{problem.place}: {problem.text}" if problem is not None else "Name the template that has the API."
        what = f"APIs without routes: {named}" if template.apis else "no API"
        raise NothingReadable(f"{template.file} has {what}; there is nothing to serve", hint)
    return serving[0]


def _count(api: Api) -> str:
    return "1 route" if len(api.routes) == 1 else f"{len(api.routes)} routes"


class _Reader:
    def __init__(self, template: Template, folder: Path) -> None:
        self._template, self._folder = template, folder
        self._notes: list[str] = []
        self._unavailable: dict[str, str] = {}
        parameters = template.parameters
        self._region = str(parameters.get("AWS::Region", REGION))
        self._account = str(parameters.get("AWS::AccountId", ACCOUNT))

    def lab(self, api: Api) -> TemplateLab:
        self._problems()
        if api.api_type is ApiType.UNKNOWN:
            self._note(api, "the file does not say which kind of API it describes; it is served as a REST API")
            api = msgspec.structs.replace(api, api_type=ApiType.REST)
        functions = tuple(self._function(one) for one in self._used(api))
        setup = LabSetup(api=self._api(api), functions=functions)
        return TemplateLab(setup=setup, unavailable=self._unavailable, notes=tuple(dict.fromkeys(self._notes)))

    def _note(self, record: Record, text: str, field: str = "") -> None:
        self._notes.append(f"{record.mark_of(field).place}: {text}")

    def _value(self, record: Record, field: str, what: str, otherwise: Known) -> Known:
        """The field's value; what the template does not tell is told and taken as `otherwise`."""
        given: Known | Unresolved | None = getattr(record, field)
        if isinstance(given, Unresolved):
            names = record.depends.get(field, ())
            hint = f" (--parameter {names[0]}=VALUE tells it)" if names else ""
            self._note(
                record, f"{what} is {given.expression}, which is not known here; taken as {otherwise}{hint}", field
            )
        return known(given, otherwise)

    def _problems(self) -> None:
        """What the reader did not understand stays visible; what the author's own conditions leave out does not."""
        for problem in self._template.problems:
            if problem.kind == "not-understood":
                self._notes.append(f"{problem.place}: {problem.text}")

    # --- functions ---------------------------------------------------------------------------------------------

    def _used(self, api: Api) -> list[Function]:
        """The functions that the API's routes and authorizers name, in the order of the template."""
        names = {one.integration.function for one in api.routes if one.integration is not None}
        names |= {one.function for one in api.authorizers}
        return [one for one in self._template.functions if one.logical_id in names]

    def _name(self, function: Function) -> str:
        return known(function.name, function.logical_id)

    def _function(self, function: Function) -> LabFunction:
        name = self._name(function)
        code, reason = self._code(function)
        handler = known(function.handler, "")
        if reason is None and not handler:
            reason = "its handler is not known here"
        if reason:
            self._unavailable[name] = f"function {name}: {reason}"
            self._note(function, f"function {name}: {reason}; its routes answer as if it had failed", "runtime")
        elif not _has_module(code, handler):
            self._note(function, f"function {name}: {code} has no module for the handler {handler}", "handler")
        for module in _HIDDEN if reason is None else ():
            if (code / f"{module}.py").exists() or (code / module).is_dir():
                text = f"function {name}: its module {module} meets one of the lab's own; under another name it works"
                self._note(function, text, "code_path")
        for layer in function.layers if reason is None else ():
            self._note(function, f"function {name}: layer {layer} is not loaded", "layers")
        reserved: float | None = self._value(function, "reserved_concurrency", f"reserved concurrency of {name}", None)
        alias = known(function.alias, None)
        return LabFunction(
            name=name,
            handler=handler,
            code=code,
            runtime=known(function.runtime, "python3.13"),
            timeout_ms=self._value(function, "timeout_ms", f"timeout of {name}", value("lambda-timeout")),
            memory_mb=round(self._value(function, "memory_mb", f"memory of {name}", 128.0)),
            environment=self._environment(function, name),
            qualifier=alias,
            version="1" if alias else "$LATEST",
            reserved_concurrency=None if reserved is None else round(reserved),
            provisioned_concurrency=self._provisioned(function, name),
            in_vpc=known(function.in_vpc, otherwise=False),
            tracing=known(function.tracing, "") == "Active",
            log_form="json" if known(function.log_format, "") == "JSON" else "text",
            region=self._region,
            account_id=self._account,
        )

    def _code(self, function: Function) -> tuple[Path, str | None]:
        """The folder of the code, or why it cannot run here."""
        nowhere = self._template.path.parent.absolute()
        runtime = known(function.runtime, "python3")
        if function.package == "Image":
            return nowhere, "a container image cannot run here"
        if not runtime.startswith("python"):
            return nowhere, f"runtime {runtime} cannot run here, only Python does"
        if isinstance(function.inline_code, str):
            return self._inline(function, function.inline_code), None
        path = function.code_path
        if path is None:
            return nowhere, f"its code is not on this machine ({function.code_uri or 'the template names none'})"
        if not path.exists():
            return nowhere, f"its code {path} does not exist"
        if path.is_dir():
            return path.absolute(), None
        if zipfile.is_zipfile(path):
            target = self._folder / function.logical_id
            with zipfile.ZipFile(path) as archive:
                archive.extractall(target)
            return target.absolute(), None
        return path.parent.absolute(), None

    def _inline(self, function: Function, code: str) -> Path:
        target = self._folder / function.logical_id
        target.mkdir(parents=True, exist_ok=True)
        (target / _INLINE_FILE).write_text(code, encoding="utf-8")
        return target.absolute()

    def _environment(self, function: Function, name: str) -> dict[str, str]:
        found = {}
        for variable, given in function.environment.items():
            if isinstance(given, Unresolved):
                text = f"variable {variable} of {name} is {given.expression}, which is not known here; it is not set"
                self._note(function, text, f"environment.{variable}")
            else:
                found[variable] = given
        return found

    def _provisioned(self, function: Function, name: str) -> int:
        wanted = round(known(function.provisioned_concurrency, 0.0))
        if wanted > MAX_PROVISIONED:
            text = f"{wanted} environments are provisioned for {name}; the lab starts {MAX_PROVISIONED}"
            self._note(function, text, "provisioned_concurrency")
        return min(wanted, MAX_PROVISIONED)

    # --- the API -----------------------------------------------------------------------------------------------

    def _api(self, api: Api) -> LabApi:
        stage = api.stages[0] if api.stages else None
        rest = api.api_type is ApiType.REST
        name = (
            known(stage.name, "prod")
            if stage is not None
            else "prod"
            if api.api_type is not ApiType.HTTP
            else "$default"
        )
        return LabApi(
            api_id=_id(api.logical_id, "api"),
            name=known(api.name, api.logical_id),
            api_type=api.api_type,
            stage=name,
            endpoint_type=self._value(api, "endpoint_type", "endpoint type", "EDGE") if rest else "REGIONAL",
            log_level=self._log_level(api, stage),
            data_trace=stage is None or known(stage.data_trace, otherwise=stage.log_level is None),
            access_log_format=self._access_format(api, stage),
            tracing=stage is not None and known(stage.tracing, otherwise=False),
            routes=tuple(self._route(api, stage, one) for one in api.routes),
            authorizers=tuple(one for given in api.authorizers if (one := self._authorizer(api, given)) is not None),
            gateway_responses=tuple(_response(one) for one in api.gateway_responses),
            region=self._region,
            account_id=self._account,
        )

    def _log_level(self, api: Api, stage: Stage | None) -> LogLevel:
        """As the stage has it; where the template is silent the lab logs all the same, and says so."""
        level = None if stage is None else stage.log_level
        if isinstance(level, str):
            return level
        if api.api_type is not ApiType.HTTP:
            record: Record = api if stage is None else stage
            self._note(record, "the stage has no execution log (AWS's default); the lab writes one, at level INFO")
        return "INFO"

    def _access_format(self, api: Api, stage: Stage | None) -> str:
        form = None if stage is None else stage.access_log_format
        if isinstance(form, str):
            return form
        record: Record = api if stage is None else stage
        self._note(record, "the stage has no access log; the lab writes one, in the recommended format")
        return access_format(api.api_type)

    def _route(self, api: Api, stage: Stage | None, route: Route) -> LabRoute:
        rate, burst = _throttle(stage, route)
        fields: dict[str, Any] = {
            "method": route.method,
            "path": route.path,
            "resource_id": _id(route.path, "resource")[:6],
            "integration_id": _id(route.key, "integration")[:7],
            "authorizer": self._asked(api, route),
            "throttle_rate": rate,
            "throttle_burst": burst,
        }
        integration = route.integration
        if integration is None:
            self._elsewhere(route, route, "it has no integration")
            return LabRoute(**fields)
        if api.effective_timeout_ms(integration) is None:
            self._value(integration, "timeout_ms", f"integration timeout of {route.key}", "the default")
        fields["timeout_ms"] = known(integration.timeout_ms, None)
        fields["stream"] = integration.transfer_mode == "STREAM"
        fields["vpc_link"] = integration.is_vpc_link
        default = "2.0" if api.api_type is ApiType.HTTP else "1.0"
        fields["payload_format"] = "1.0" if known(integration.payload_format, default) == "1.0" else "2.0"
        return LabRoute(**fields, **self._target(route, integration))

    def _target(self, route: Route, integration: Integration) -> dict[str, Any]:
        kind = known(integration.kind, "unknown")
        if kind == "mock":
            return {"kind": "mock"}
        if kind in ("http-proxy", "http"):
            url = integration.url if isinstance(integration.url, str) else None
            if url is not None and url.startswith(("http://", "https://")):
                if kind == "http":
                    self._note(
                        integration, f"{route.key}: mapping templates are not applied, the request goes on as it is"
                    )
                return {"kind": "http-proxy", "url": url}
            self._elsewhere(route, integration, f"its URL {integration.url or integration.uri} is not known here")
        elif kind == "aws-proxy" and integration.function is not None and not integration.asynchronous:
            return {"function": self._name(self._template.function(integration.function))}
        elif integration.function is not None:
            how = "is called without waiting" if integration.asynchronous else "is called through mapping templates"
            self._elsewhere(route, integration, f"its function {how}, which does not run here")
        else:
            target = integration.function_name or integration.action or integration.uri or kind
            self._elsewhere(route, integration, f"its target {target} is not in the template")
        return {"url": str(integration.uri or "")}

    def _elsewhere(self, route: Route, record: Record, reason: str) -> None:
        self._unavailable[ELSEWHERE] = "the target of this route is not on this machine"
        self._note(record, f"{route.key}: {reason}; it answers as if its target had failed", "uri")

    def _asked(self, api: Api, route: Route) -> str | None:
        """The authorizer that the lab asks for a route."""
        if known(route.authorization, "NONE") == "AWS_IAM":
            self._note(route, f"{route.key}: signatures (AWS_IAM) are not checked here", "authorization")
        if route.authorizer is None:
            return None
        found = api.authorizer(route.authorizer)
        if found is None:
            self._note(
                route,
                f"{route.key}: authorizer {route.authorizer} is not in the template; it is not asked",
                "authorizer",
            )
            return None
        return found.id if found.function is not None and found.kind in ("TOKEN", "REQUEST") else None

    def _authorizer(self, api: Api, given: Authorizer) -> LabAuthorizer | None:
        if given.kind not in ("TOKEN", "REQUEST"):
            self._note(
                given, f"authorizer {given.name} ({given.kind}) is not checked here: its routes let everybody in"
            )
            return None
        if given.function is None:
            target = given.function_name or given.uri
            self._note(given, f"authorizer {given.name}: {target} is not in the template; its routes let everybody in")
            return None
        default = _REST_AUTHORIZER_TTL_S if api.api_type is ApiType.REST else 0
        return LabAuthorizer(
            id=given.id,
            name=given.name,
            function=self._name(self._template.function(given.function)),
            kind="TOKEN" if given.kind == "TOKEN" else "REQUEST",
            cache_ttl_s=round(self._value(given, "ttl_s", f"cache time of authorizer {given.name}", default)),
            simple_responses=known(given.simple_responses, otherwise=False),
        )


def _has_module(code: Path, handler: str) -> bool:
    """Whether the runtime client will find the handler's module: `app.main`, `pkg/app.main`, `pkg.app.main`."""
    module = handler.rpartition(".")[0].replace(".", "/")
    return (code / f"{module}.py").is_file() or (code / module / "__init__.py").is_file()


def _throttle(stage: Stage | None, route: Route) -> tuple[float | None, int]:
    """Rate and burst of a route: its own settings win over the stage's."""
    if stage is None:
        return None, 0
    fitting = [
        one for one in stage.route_settings if one.method in ("*", route.method) and one.path in ("/*", "*", route.path)
    ]
    fitting.sort(key=lambda one: (one.path == route.path) + (one.method == route.method), reverse=True)
    settings: Iterable[Any] = (*fitting, stage)
    rate = next((known(one.throttle_rate, None) for one in settings if one.throttle_rate is not None), None)
    burst = next((known(one.throttle_burst, None) for one in settings if one.throttle_burst is not None), None)
    return rate, round(burst) if burst is not None else round(rate or 0)


def _response(one: Any) -> GatewayResponse:  # noqa: ANN401 - the template's record of the same name
    templates = {kind: text for kind, text in one.templates.items() if isinstance(text, str)}
    headers = {
        name.removeprefix(_HEADER): text.strip("'")
        for name, text in one.parameters.items()
        if name.startswith(_HEADER) and isinstance(text, str) and text.startswith("'")
    }
    status = known(one.status, None)
    return GatewayResponse(
        response_type=one.response_type,
        status=None if status is None else round(status),
        body=templates.get("application/json") or next(iter(templates.values()), None),
        headers=headers,
    )


def _id(text: str, kind: str) -> str:
    """An id as the gateway makes them, the same for the same template."""
    letters, number, found = "abcdefghijklmnopqrstuvwxyz0123456789", zlib.crc32(f"{kind} {text}".encode()), ""
    number = number << 32 | zlib.crc32(text.encode(), number)
    for _ in range(10):
        number, at = divmod(number, len(letters))
        found += letters[at]
    return found
