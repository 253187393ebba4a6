"""From the text of a URI to the function that it calls.

>>> target("arn:aws:apigateway:eu-west-1:lambda:path/2015-03-31/functions/${Orders.Arn}:live/invocations",
...        Callables(functions={"Orders"}))
Target(function='Orders', name=None, qualifier='live')
>>> target("arn:aws:lambda:eu-west-1:123456789012:function:pay:3", Callables(names={"pay": "Pay"}))
Target(function='Pay', name='pay', qualifier='3')
"""

import re

import msgspec

from apigw_doctor.model.ids import function_from_uri
from apigw_doctor.templates.intrinsics import Unresolved

_REFERENCE = re.compile(r"\$\{([A-Za-z0-9]+)(?:\.([A-Za-z0-9_.]+))?\}")
#: what stands behind the function in an ARN or URI: `:live`, `:${Alias}`, `:${stageVariables.alias}`
_QUALIFIER = re.compile(r":(\$LATEST|[A-Za-z0-9_-]+|\$\{[^{}]+\})")
#: `${AWS::Region}` in a text that nobody substitutes here
_PSEUDO = re.compile(r"\$\{AWS::[A-Za-z]+\}")
#: the function in a URI: `functions/${Orders.Arn}`, `function:${Orders}`, `functions/orders/invocations`
_FUNCTION_PART = re.compile(
    r"(?:functions/|function:)(?:\$\{([A-Za-z0-9]+)(?:\.[A-Za-z0-9]+)?\}|([A-Za-z0-9_-]+)(?=[:/]|$))"
)
_ALIAS_ATTRIBUTES = ("Alias", "Version")
_ACTION = re.compile(r"arn:[^:]*:apigateway:[^:]*:([A-Za-z0-9._${}-]+):(action|path)/([^?]*)")


class Callables(msgspec.Struct):
    """What a URI may name: functions, and the aliases and versions that lead to them."""

    functions: set[str] = set()
    #: logical id of an alias or version -> (logical id of its function, qualifier)
    qualified: dict[str, tuple[str, str]] = {}
    #: function name -> logical id
    names: dict[str, str] = {}
    #: logical id of a SAM function -> the alias that SAM publishes
    aliases: dict[str, str] = {}


class Target(msgspec.Struct, frozen=True):
    """The function that a URI calls: by logical id where it is in the template, by name where an ARN has one."""

    function: str | None = None
    name: str | None = None
    qualifier: str | None = None


def target(uri: str | Unresolved | None, callables: Callables) -> Target:
    """The function behind a URI; empty where there is none, or where the template does not tell."""
    text = _PSEUDO.sub("x", str(uri or ""))
    for match in _REFERENCE.finditer(text):
        name, attribute = match[1], match[2] or ""
        if name in callables.functions:
            head = attribute.split(".")[0]
            if head in _ALIAS_ATTRIBUTES:
                return Target(name, None, callables.aliases.get(name, head))
            behind = _QUALIFIER.match(text, match.end())
            return Target(name, None, behind[1] if behind else None)
        if name in callables.qualified:
            function, alias = callables.qualified[name]
            return Target(function, None, alias)
    found, qualifier = function_from_uri(text)
    if found is None:
        return _not_here(text)
    behind = _QUALIFIER.match(text, text.index(f":function:{found}") + len(f":function:{found}"))
    return Target(callables.names.get(found), found, behind[1] if behind else qualifier)


def _not_here(text: str) -> Target:
    """A function that the URI names by a logical id of some other template, or by its bare name."""
    match = _FUNCTION_PART.search(text)
    if match is None:
        return Target()
    behind = _QUALIFIER.match(text, match.end())
    return Target(None, match[1] or match[2], behind[1] if behind else None)


def action(uri: str | Unresolved | None) -> str | None:
    """The service action of a direct integration (`states:action/StartSyncExecution`); None for Lambda."""
    match = _ACTION.search(_PSEUDO.sub("x", str(uri or "")))
    if match is None or match[1] == "lambda":
        return None
    return f"{match[1]}:{match[2]}/{match[3]}"


def named(text: str | Unresolved | None) -> str | None:
    """The logical id that a reference names (`${Api}` or `${Api.Arn}`); None for any other text."""
    match = _REFERENCE.fullmatch(str(text or ""))
    return match[1] if match else None
