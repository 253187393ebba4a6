"""Functions: get-function(-configuration), list-functions, provisioned concurrency.

>>> rows = parse({"FunctionName": "orders-fn", "Timeout": 10, "MemorySize": 512,
...               "FunctionArn": "arn:aws:lambda:eu-west-1:123456789012:function:orders-fn",
...               "VpcConfig": {"SubnetIds": ["subnet-0aa1"]}}, "get-function-configuration.json")
>>> rows[0].function, rows[0].timeout_ms, rows[0].in_vpc
('orders-fn', 10000.0, True)
"""

from typing import Any

from apigw_doctor.evidence.tables import FunctionSettings, Gap
from apigw_doctor.model.ids import function_from_uri
from apigw_doctor.model.terms import EvidenceKind
from apigw_doctor.sources.json_values import array, cite, get, mapping, number, text, whole

_SIGNS = frozenset({"Timeout", "Runtime", "Handler", "MemorySize", "PackageType", "CodeSha256"})
#: only a whole answer has these; where they are missing, absence of VpcConfig says nothing
_WHOLE = frozenset({"CodeSha256", "RevisionId"})
_PROVISIONED = ("AllocatedProvisionedConcurrentExecutions", "RequestedProvisionedConcurrentExecutions")


def parse(value: dict[str, Any], origin: str) -> list[FunctionSettings | Gap] | None:
    """Read one of the documents; None when it is none of them."""
    configs = value.get("ProvisionedConcurrencyConfigs")
    if isinstance(configs, list):
        return [row for node in configs if (row := _provisioned(mapping(node), origin)) is not None]
    if _PROVISIONED[1] in value:
        row = _provisioned(value, origin)
        return [row if row is not None else _nameless(origin)]
    for nodes in (value.get("Functions"), value.get("Versions"), [value.get("Configuration")], [value]):
        rows = [row for node in array(nodes) if (row := _function(mapping(node), origin)) is not None]
        if rows:
            return list(rows)
    return None


def _function(node: dict[str, Any], origin: str) -> FunctionSettings | None:
    name = text(node.get("FunctionName"))
    if name is None or not node.keys() & _SIGNS:
        return None
    arn_name, qualifier = function_from_uri(text(node.get("FunctionArn")) or name)
    seconds = number(node.get("Timeout"))
    return FunctionSettings(
        function=arn_name or name,
        timeout_ms=seconds * 1000.0 if seconds is not None else None,
        memory_mb=whole(node.get("MemorySize")),
        in_vpc=_in_vpc(node),
        runtime=text(node.get("Runtime")),
        tracing=text(get(node.get("TracingConfig"), "Mode")),
        snap_start=text(get(node.get("SnapStart"), "ApplyOn")),
        alias=qualifier if qualifier != "$LATEST" else None,
        cites=cite(origin, node),
    )


def _in_vpc(node: dict[str, Any]) -> bool | None:
    vpc = node.get("VpcConfig")
    if isinstance(vpc, dict):
        return bool(text(vpc.get("VpcId")) or array(vpc.get("SubnetIds")))
    return False if node.keys() & _WHOLE else None


def _provisioned(node: dict[str, Any], origin: str) -> FunctionSettings | None:
    name, qualifier = function_from_uri(text(node.get("FunctionArn")) or "")
    if name is None:
        return None
    return FunctionSettings(
        function=name, alias=qualifier, provisioned=whole(get(node, *_PROVISIONED)), cites=cite(origin, node)
    )


def _nameless(origin: str) -> Gap:
    return Gap(
        origin=origin,
        evidence=EvidenceKind.CONFIGURATION,
        reason="get-provisioned-concurrency-config does not say which function and alias it is about",
        remedy="aws lambda list-provisioned-concurrency-configs --function-name NAME",
    )
