"""Stages of REST APIs (v1, camel case) and of HTTP and WebSocket APIs (v2, Pascal case): what they log.

>>> rows = parse({"item": [{"stageName": "dev", "deploymentId": "d", "methodSettings": {
...     "~1orders/POST": {"loggingLevel": "INFO", "dataTraceEnabled": True}}}]}, "get-stages.json")
>>> row = rows[0]
>>> row.execution_logging, row.execution_logging_everywhere, row.data_trace, row.cites[1].text
('INFO', False, True, 'methodSettings /orders/POST: loggingLevel INFO')
"""

from typing import Any

from apigw_doctor.evidence.tables import Cite, StageSettings
from apigw_doctor.model.terms import ApiType
from apigw_doctor.sources.json_values import CITED_CHARS, array, cite, flag, get, mapping, text

_LEVELS = ("OFF", "ERROR", "INFO")
_ALL_METHODS = "*/*"
_V1_SIGNS = frozenset({"deploymentId", "methodSettings", "tracingEnabled", "accessLogSettings", "createdDate"})
_V2_SIGNS = frozenset({"DefaultRouteSettings", "RouteSettings", "AccessLogSettings", "AutoDeploy", "CreatedDate"})
_MAX_CITED_METHODS = 8


def parse(value: dict[str, Any], origin: str) -> list[StageSettings] | None:
    """Read get-stage(s) of either kind; None when it is none."""
    for items in (value.get("item"), value.get("items"), [value]):
        nodes = [node for node in array(items) if "stageName" in mapping(node) and node.keys() & _V1_SIGNS]
        if rows := [row for node in nodes if (row := _v1(node, origin)) is not None]:
            return rows
    for items in (value.get("Items"), [value]):
        nodes = [node for node in array(items) if "StageName" in mapping(node) and node.keys() & _V2_SIGNS]
        if rows := [row for node in nodes if (row := _v2(node, origin)) is not None]:
            return rows
    return None


def _v1(node: dict[str, Any], origin: str) -> StageSettings | None:
    stage = text(node.get("stageName"))
    if stage is None:
        return None
    methods = {_unescaped(key): mapping(item) for key, item in mapping(node.get("methodSettings")).items()}
    levels = {key: level for key, item in methods.items() if (level := _level(item.get("loggingLevel"))) is not None}
    log = mapping(node.get("accessLogSettings"))
    return StageSettings(
        api_type=ApiType.REST,
        api_id=text(node.get("restApiId")),
        stage=stage,
        execution_logging=_highest(levels),
        execution_logging_everywhere=_everywhere(levels),
        data_trace=any(flag(item.get("dataTraceEnabled")) for item in methods.values()),
        access_log_format=text(log.get("format")),
        access_log_destination=text(log.get("destinationArn")),
        tracing=flag(node.get("tracingEnabled")),
        cites=cite(origin, node) + _cited_levels(origin, levels),
    )


def _v2(node: dict[str, Any], origin: str) -> StageSettings | None:
    stage = text(node.get("StageName"))
    if stage is None:
        return None
    routes = {str(key): mapping(item) for key, item in mapping(node.get("RouteSettings")).items()}
    routes[_ALL_METHODS] = mapping(node.get("DefaultRouteSettings"))
    levels = {key: level for key, item in routes.items() if (level := _level(item.get("LoggingLevel"))) is not None}
    log = mapping(node.get("AccessLogSettings"))
    return StageSettings(
        api_type=_v2_type(node, stage, has_levels=bool(levels)),
        api_id=text(node.get("ApiId")),
        stage=stage,
        execution_logging=_highest(levels),
        execution_logging_everywhere=_everywhere(levels),
        data_trace=any(flag(item.get("DataTraceEnabled")) for item in routes.values()),
        access_log_format=text(log.get("Format")),
        access_log_destination=text(log.get("DestinationArn")),
        cites=cite(origin, node) + _cited_levels(origin, levels),
    )


def _v2_type(node: dict[str, Any], stage: str, *, has_levels: bool) -> ApiType:
    """Logging levels exist for WebSocket APIs only; `$default` and automatic deployment for HTTP APIs only."""
    if has_levels:
        return ApiType.WEBSOCKET
    if stage == "$default" or flag(get(node, "AutoDeploy")):
        return ApiType.HTTP
    return ApiType.UNKNOWN


def _level(value: object) -> str | None:
    level = (text(value) or "").upper()
    return level if level in _LEVELS else None


def _highest(levels: dict[str, str]) -> str | None:
    return max(levels.values(), key=_LEVELS.index) if levels else None


def _everywhere(levels: dict[str, str]) -> bool:
    """Every method logs, or none does: no method is left out of what the others have."""
    on = {key for key, level in levels.items() if level != "OFF"}
    return not on or (_ALL_METHODS in on and on == levels.keys())


def _cited_levels(origin: str, levels: dict[str, str]) -> tuple[Cite, ...]:
    single = [(key, level) for key, level in levels.items() if key != _ALL_METHODS][:_MAX_CITED_METHODS]
    return tuple(
        Cite(origin=origin, text=f"methodSettings {key}: loggingLevel {level}"[:CITED_CHARS]) for key, level in single
    )


def _unescaped(key: object) -> str:
    """`~1orders/POST` is the method POST of /orders (JSON Pointer's escapes)."""
    return str(key).replace("~1", "/").replace("~0", "~")
