"""What a template's expressions come to, as far as the file itself tells.

Parameters have their defaults (or what the caller gives), mappings and conditions are looked up, and text is put
together. A reference to another resource stays visible as `${LogicalId}` or `${LogicalId.Arn}`. What only AWS knows
is `Unresolved`, with the expression and, where the template names them, the values that it may have.

>>> from apigw_doctor.templates.marked import load_text
>>> root = load_text('''
... Parameters: {Seconds: {Type: Number, Default: 20}, Stage: {Type: String}}
... Conditions: {Long: !Equals [!Ref Seconds, 20]}
... Resources:
...   Fn: {Properties: {A: !If [Long, !Ref Seconds, 3], B: !Sub "${Fn.Arn}:live", C: !Sub "x-${Stage}"}}
... ''', "t.yaml").root
>>> resolver = Resolver(root)
>>> values = resolver.value(root.get("Resources"))["Fn"]["Properties"]
>>> values["A"], values["B"], values["C"].expression
(20, '${Fn.Arn}:live', 'x-${Stage}')
"""

import base64
import json
import re
from collections.abc import Callable, Iterator
from collections.abc import Mapping as AbstractMapping
from typing import Any, TypeAlias

import msgspec

from apigw_doctor.templates.marked import Mapping, Mark, Node, Scalar, Sequence, plain

#: Stand-ins for what only the account knows; the lab's names are made with the same.
PSEUDO_PARAMETERS: dict[str, str] = {
    "AWS::AccountId": "123456789012",
    "AWS::Region": "eu-west-1",
    "AWS::Partition": "aws",
    "AWS::URLSuffix": "amazonaws.com",
    "AWS::StackName": "stack",
    "AWS::StackId": "arn:aws:cloudformation:eu-west-1:123456789012:stack/stack/00000000-0000-0000-0000-000000000000",
}
NO_VALUE = "AWS::NoValue"
#: Texts are put together from parts, and parts may be put together again: without an end, if nobody sets one.
_MAX_TEXT = 1_000_000
#: What all texts and lists of one template may amount to together.
_MAX_PRODUCED = 50_000_000
#: An item of a list takes as much as so many characters.
_ITEM = 50
#: AWS takes no longer value of a parameter.
_MAX_PARAMETER = 4_096
_MAX_CANDIDATES = 50
_DYNAMIC = "{{resolve:"
# Spaces are stripped from the name afterwards: to match them here takes cubic time where the brace never closes.
_PLACE = re.compile(r"\$\{(!?)([^{}$!]*)\}")
_INCLUDE = "AWS::Include"


class Unresolved(msgspec.Struct, frozen=True):
    """A value that the template alone does not tell: how it is written, and what it may be where that is known.

    In `expression` all that is known is filled in (`functions/${Fn.Arn}:${Alias}/invocations`).
    """

    expression: str
    candidates: tuple[Any, ...] = ()

    def __str__(self) -> str:
        return self.expression


class Unknown(msgspec.Struct, frozen=True):
    """An `Unresolved` in the place of a node."""

    value: Unresolved
    mark: Mark


#: None stands for `AWS::NoValue`: as if the property were not there.
Settled: TypeAlias = Node | Unknown | None
Include: TypeAlias = Callable[[str, Mark], Node | None]


def _nothing_included(location: str, mark: Mark) -> Node | None:
    return None


class Resolver:
    """Works out the expressions of one template."""

    def __init__(
        self,
        root: Node,
        parameters: AbstractMapping[str, str] = {},
        include: Include = _nothing_included,
    ) -> None:
        self._sections = {name: _mapping(root, name) for name in ("Mappings", "Conditions", "Resources")}
        self._include = include
        self._conditions: dict[str, bool | None] = {}
        self._condition_names: dict[str, tuple[str, ...]] = {}
        self._left = _MAX_PRODUCED
        self._functions: dict[str, Callable[[Node, Mark], Settled]] = {
            "Ref": self._ref,
            "Fn::GetAtt": self._get_att,
            "Fn::Sub": self._sub,
            "Fn::Join": self._join,
            "Fn::Select": self._select,
            "Fn::Split": self._split,
            "Fn::FindInMap": self._find_in_map,
            "Fn::If": self._if,
            "Fn::Base64": self._base64,
            "Fn::ToJsonString": self._to_json,
            "Fn::Length": self._length,
            "Fn::Transform": self._transform,
        }
        self.pseudo = PSEUDO_PARAMETERS | {k: v for k, v in parameters.items() if k in PSEUDO_PARAMETERS}
        self._declared = _mapping(root, "Parameters")
        self.parameters: dict[str, Any] = {}
        self._candidates: dict[str, tuple[Any, ...]] = {}
        for key, node in self._declared.items():
            self._declare(key.text, node, parameters.get(key.text))

    # -- what callers use -------------------------------------------------------------------------

    def settle(self, node: Node | None) -> Settled:
        """The node that an expression comes to; what lies inside of it is not looked at."""
        if isinstance(node, Scalar):
            is_dynamic = _DYNAMIC in node.text
            return Unknown(Unresolved(node.text), node.mark) if is_dynamic else node
        if not isinstance(node, Mapping) or len(node.entries) != 1:
            return self._with_include(node) if isinstance(node, Mapping) else node
        ((name, (_, argument)),) = node.entries.items()
        if name in self._functions:
            return self._functions[name](argument, node.mark)
        if name.startswith(("Fn::", "!")):
            return Unknown(Unresolved(_written(node)), node.mark)
        if (
            name == "Condition"
            and isinstance(argument, Scalar)
            and argument.text in self._sections["Conditions"].entries
        ):
            return _decided(self.condition(argument.text), node)
        return node

    def value(self, node: Node | None) -> Any:  # noqa: ANN401 - JSON-like data with `Unresolved` in it
        """The data of a node with all its expressions worked out; None also stands for no value."""
        settled = self.settle(node)
        if settled is None:
            return None
        if isinstance(settled, Unknown):
            return settled.value
        if isinstance(settled, Scalar):
            return settled.value
        if isinstance(settled, Sequence):
            return [self.value(item) for item in settled.items if not is_no_value(item)]
        return {key: self.value(item) for key, (_, item) in settled.entries.items() if not is_no_value(item)}

    def condition(self, name: str) -> bool | None:
        """Whether a condition holds; None where it hangs on what the template does not tell."""
        if name not in self._conditions:
            self._conditions[name] = None  # a condition that asks for itself is never decided
            node = self._sections["Conditions"].get(name)
            self._conditions[name] = self._decide(node) if node else None
        return self._conditions[name]

    def depends(self, node: Node | None) -> tuple[str, ...]:
        """The parameters and pseudo parameters that a value hangs on, through conditions too."""
        found: dict[str, None] = {}
        self._note_names(node, found)
        return tuple(found)

    def is_resource(self, name: str) -> bool:
        """Whether the template has a resource of this logical id."""
        return name in self._sections["Resources"].entries

    # -- parameters -------------------------------------------------------------------------------

    def _declare(self, name: str, node: Node, given: str | None) -> None:
        kind = _text_of(node, "Type")
        default = node.get("Default") if isinstance(node, Mapping) else None
        allowed = node.get("AllowedValues") if isinstance(node, Mapping) else None
        if isinstance(allowed, Sequence):
            self._candidates[name] = tuple(_typed(kind, plain(one)) for one in allowed.items[:_MAX_CANDIDATES])
        if given is not None:
            self.parameters[name] = _typed(kind, given)
        elif (
            isinstance(default, Scalar)
            and len(default.text) <= _MAX_PARAMETER
            and not kind.startswith("AWS::SSM::Parameter::Value")
        ):
            # The default of such a parameter is the name of the place where the value lies.
            self.parameters[name] = _typed(kind, default.text)

    def _ref(self, argument: Node, mark: Mark) -> Settled:
        if not isinstance(argument, Scalar):
            return Unknown(Unresolved(_written(argument)), mark)
        return self._named(argument.text, mark)

    def _named(self, name: str, mark: Mark) -> Settled:
        if name == NO_VALUE:
            return None
        if name in self.parameters:
            value = self.parameters[name]
            if isinstance(value, list) and not self._has_room(len(value) * _ITEM):
                return Unknown(Unresolved(f"${{{name}}}"), mark)
            return _node(value, mark)
        if name in self.pseudo:
            return Scalar(self.pseudo[name], mark)
        if name in self._declared.entries or name.startswith("AWS::"):
            return Unknown(Unresolved(f"${{{name}}}", self._candidates.get(name, ())), mark)
        # SAM makes resources that are not in the file, so any other name is taken for a resource's.
        return Scalar(f"${{{name}}}", mark)

    # -- functions --------------------------------------------------------------------------------

    def _get_att(self, argument: Node, mark: Mark) -> Settled:
        parts = [argument] if isinstance(argument, Scalar) else argument.items if isinstance(argument, Sequence) else []
        texts = [self._text(part) for part in parts]
        if not texts or any(isinstance(text, Unresolved) for text in texts):
            return Unknown(Unresolved(_written(argument)), mark)
        return Scalar("${" + ".".join(str(text) for text in texts) + "}", mark)

    def _sub(self, argument: Node, mark: Mark) -> Settled:
        own: dict[str, Node] = {}
        template = argument
        if isinstance(argument, Sequence) and argument.items:
            template = argument.items[0]
            if len(argument.items) > 1 and isinstance(argument.items[1], Mapping):
                own = {key.text: value for key, value in argument.items[1].items()}
        settled = self.settle(template)
        if not isinstance(settled, Scalar):
            return Unknown(Unresolved(_written(argument)), mark)
        return self._put_together(self._sub_parts(settled.text, own, mark), mark)

    def _sub_parts(self, text: str, own: dict[str, Node], mark: Mark) -> Iterator[str | Unresolved]:
        known: dict[str, str | Unresolved] = {}
        at = 0
        for match in _PLACE.finditer(text):
            yield text[at : match.start()]
            at = match.end()
            name = match[2].strip()
            if match[1]:
                yield f"${{{name}}}"
                continue
            if name not in known:
                known[name] = self._text(own[name]) if name in own else _as_text(self._named(name, mark))
            yield known[name]
        yield text[at:]

    def _join(self, argument: Node, mark: Mark) -> Settled:
        if isinstance(argument, Sequence) and len(argument.items) == 2:
            separator, parts = self._text(argument.items[0]), self.settle(argument.items[1])
            if isinstance(separator, str) and isinstance(parts, Sequence):
                texts = [self._text(part) for part in parts.items if not is_no_value(part)]
                return self._put_together(_between(texts, separator), mark)
        return Unknown(Unresolved(_written(argument)), mark)

    def _put_together(self, parts: Iterator[str | Unresolved], mark: Mark) -> Settled:
        texts: list[str] = []
        length, is_known = 0, True
        for part in parts:
            is_known = is_known and isinstance(part, str)
            texts.append(part if isinstance(part, str) else part.expression)
            length += len(texts[-1])
            if length > _MAX_TEXT or not self._has_room(len(texts[-1])):
                return Unknown(Unresolved("a text of more than 1,000,000 characters"), mark)
        text = "".join(texts)
        if is_known and _DYNAMIC not in text:
            return Scalar(text, mark)
        return Unknown(Unresolved(text), mark)

    def _has_room(self, amount: int) -> bool:
        """Whether so much more may be produced: many small expressions can make a lot of a large value."""
        self._left -= amount
        return self._left >= 0

    def _select(self, argument: Node, mark: Mark) -> Settled:
        if isinstance(argument, Sequence) and len(argument.items) == 2:
            index, items = self.value(argument.items[0]), self.settle(argument.items[1])
            number = int(index) if isinstance(index, int | str) and re.fullmatch(r"[0-9]{1,6}", str(index)) else None
            if number is not None and isinstance(items, Sequence) and number < len(items.items):
                return self.settle(items.items[number])
        return Unknown(Unresolved(_written(argument)), mark)

    def _split(self, argument: Node, mark: Mark) -> Settled:
        if isinstance(argument, Sequence) and len(argument.items) == 2:
            separator, text = self._text(argument.items[0]), self._text(argument.items[1])
            if isinstance(separator, str) and separator and isinstance(text, str) and self._has_room(len(text)):
                return Sequence(tuple(Scalar(part, mark) for part in text.split(separator)), mark)
        return Unknown(Unresolved(_written(argument)), mark)

    def _find_in_map(self, argument: Node, mark: Mark) -> Settled:
        if not isinstance(argument, Sequence) or len(argument.items) < 3:
            return Unknown(Unresolved(_written(argument)), mark)
        names = [self._text(item) for item in argument.items[:3]]
        table = self._sections["Mappings"].get(names[0]) if isinstance(names[0], str) else None
        found = list(_cells(table, names[1], names[2]))
        if isinstance(names[1], str) and isinstance(names[2], str):
            if found:
                return _moved(found[0], mark)
            default = argument.items[3].get("DefaultValue") if _has_default(argument) else None  # type: ignore[union-attr]
            if default is not None:
                return self.settle(default)
        candidates = tuple(plain(cell) for cell in found[:_MAX_CANDIDATES])
        return Unknown(Unresolved(_written(argument), candidates), mark)

    def _if(self, argument: Node, mark: Mark) -> Settled:
        if not isinstance(argument, Sequence) or len(argument.items) != 3:
            return Unknown(Unresolved(_written(argument)), mark)
        asked, yes, no = argument.items
        holds = self.condition(asked.text) if isinstance(asked, Scalar) else self._decide(asked)
        if holds is not None:
            return self.settle(yes if holds else no)
        candidates: list[Any] = []
        for branch in (yes, no):
            value = self.value(branch)
            candidates.extend(value.candidates or (value,) if isinstance(value, Unresolved) else (value,))
        return Unknown(Unresolved(_written(argument), tuple(candidates[:_MAX_CANDIDATES])), mark)

    def _base64(self, argument: Node, mark: Mark) -> Settled:
        text = self._text(argument)
        if isinstance(text, str) and len(text) < _MAX_TEXT:
            return Scalar(base64.b64encode(text.encode("utf-8", "replace")).decode(), mark)
        return Unknown(Unresolved(_written(argument)), mark)

    def _to_json(self, argument: Node, mark: Mark) -> Settled:
        value = self.value(argument)
        if _has_unresolved(value):
            return Unknown(Unresolved(_written(argument)), mark)
        return self._put_together(iter([json.dumps(value, separators=(",", ":"))]), mark)

    def _length(self, argument: Node, mark: Mark) -> Settled:
        items = self.settle(argument)
        if isinstance(items, Sequence):
            return _node(len(items.items), mark)
        return Unknown(Unresolved(_written(argument)), mark)

    # -- files that are included ------------------------------------------------------------------

    def _transform(self, argument: Node, mark: Mark) -> Settled:
        node = self._included(argument)
        return Unknown(Unresolved(_written(argument)), mark) if node is None else self.settle(node)

    def _included(self, argument: Node) -> Node | None:
        if isinstance(argument, Sequence) and len(argument.items) == 1:
            argument = argument.items[0]
        parameters = argument.get("Parameters") if isinstance(argument, Mapping) else None
        if _text_of(argument, "Name") != _INCLUDE or not isinstance(parameters, Mapping):
            return None
        location = self._text(parameters.get("Location"))
        mark = parameters.entries["Location"][1].mark if "Location" in parameters.entries else parameters.mark
        return self._include(str(location), mark)

    def _with_include(self, node: Mapping) -> Settled:
        """A mapping with `Fn::Transform` among other keys: what is included stands beside them."""
        argument = node.get("Fn::Transform")
        included = self._included(argument) if argument is not None else None
        if not isinstance(included, Mapping):
            return node
        own = {name: entry for name, entry in node.entries.items() if name != "Fn::Transform"}
        return Mapping({**included.entries, **own}, node.mark)

    # -- conditions -------------------------------------------------------------------------------

    def _decide(self, node: Node | None) -> bool | None:
        if isinstance(node, Scalar):
            return self.condition(node.text) if node.text in self._sections["Conditions"].entries else None
        if not isinstance(node, Mapping) or len(node.entries) != 1:
            return None
        ((name, (_, argument)),) = node.entries.items()
        items = argument.items if isinstance(argument, Sequence) else (argument,)
        match name:
            case "Condition":
                return self._decide(argument)
            case "Fn::Equals" if len(items) == 2:
                return _same(self.value(items[0]), self.value(items[1]))
            case "Fn::Not" if len(items) == 1:
                answer = self._decide(items[0])
                return None if answer is None else not answer
            case "Fn::And" | "Fn::Or":
                answers = [self._decide(item) for item in items]
                decisive = name == "Fn::Or"
                if decisive in answers:
                    return decisive
                return None if None in answers else not decisive
        return None

    # -- text -------------------------------------------------------------------------------------

    def _text(self, node: Node | None) -> str | Unresolved:
        return _as_text(self.settle(node))

    def _names_of(self, condition: str) -> tuple[str, ...]:
        if condition not in self._condition_names:
            self._condition_names[condition] = ()  # a condition that asks for itself adds nothing
            found: dict[str, None] = {}
            self._note_names(self._sections["Conditions"].get(condition), found)
            self._condition_names[condition] = tuple(found)
        return self._condition_names[condition]

    def _note_names(self, node: Node | None, found: dict[str, None]) -> None:
        if isinstance(node, Sequence):
            for item in node.items:
                self._note_names(item, found)
        if not isinstance(node, Mapping):
            return
        for name, (_, argument) in node.entries.items():
            for used in _names_used(name, argument):
                if used in self._declared.entries or used in self.pseudo:
                    found[used] = None
            condition = _condition_used(name, argument)
            if condition is not None:
                found.update(dict.fromkeys(self._names_of(condition)))
            self._note_names(argument, found)


def is_no_value(node: Node) -> bool:
    """Whether a node is `!Ref AWS::NoValue`: as if it were not there."""
    if not isinstance(node, Mapping) or len(node.entries) != 1:
        return False
    argument = node.get("Ref")
    return isinstance(argument, Scalar) and argument.text == NO_VALUE


def _mapping(node: Node | None, name: str) -> Mapping:
    found = node.get(name) if isinstance(node, Mapping) else None
    return found if isinstance(found, Mapping) else Mapping({}, Mark("", 1, 1))


def _text_of(node: Node | None, key: str) -> str:
    found = node.get(key) if isinstance(node, Mapping) else None
    return found.text if isinstance(found, Scalar) else ""


def _typed(kind: str, value: object) -> Any:  # noqa: ANN401
    """A parameter's value as its type has it: numbers are numbers, lists are lists."""
    text = value if isinstance(value, str) else _shown(value)
    if kind == "CommaDelimitedList" or kind.startswith("List<"):
        return [part.strip() for part in text.split(",")]
    if kind == "Number" and re.fullmatch(r"\s*[-+]?[0-9]{1,15}(\.[0-9]{1,9})?\s*", text):
        return float(text) if "." in text else int(text)
    return text


def _shown(value: object) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return "" if value is None else str(value)


def _node(value: Any, mark: Mark) -> Node:  # noqa: ANN401
    if isinstance(value, list):
        return Sequence(tuple(_node(item, mark) for item in value), mark)
    return Scalar(_shown(value), mark, plain=not isinstance(value, str))


def _moved(node: Node, mark: Mark) -> Node:
    """A mapping's cell, at the place where it is used."""
    return Scalar(node.text, mark, node.plain) if isinstance(node, Scalar) else node


def _as_text(settled: Settled) -> str | Unresolved:
    match settled:
        case Scalar():
            return settled.text
        case Unknown():
            return settled.value
        case None:
            return ""
        case Sequence(items=items) if all(isinstance(item, Scalar) for item in items):
            return ",".join(item.text for item in items if isinstance(item, Scalar))
    return Unresolved(_written(settled))


def _between(texts: list[str | Unresolved], separator: str) -> Iterator[str | Unresolved]:
    for number, text in enumerate(texts):
        if number:
            yield separator
        yield text


def _cells(table: Node | None, first: str | Unresolved, second: str | Unresolved) -> Iterator[Node]:
    """The cells of a mapping that may be meant; a key that is not known stands for all."""
    for row_key, row in table.items() if isinstance(table, Mapping) else ():
        if isinstance(first, Unresolved) or row_key.text == first:
            for key, cell in row.items() if isinstance(row, Mapping) else ():
                if isinstance(second, Unresolved) or key.text == second:
                    yield cell


def _has_default(argument: Sequence) -> bool:
    return len(argument.items) > 3 and isinstance(argument.items[3], Mapping)


def _same(one: object, other: object) -> bool | None:
    if _has_unresolved(one) or _has_unresolved(other):
        return None
    return _shown(one) == _shown(other)


def _has_unresolved(value: object) -> bool:
    if isinstance(value, dict):
        return any(_has_unresolved(item) for item in value.values())
    if isinstance(value, list):
        return any(_has_unresolved(item) for item in value)
    return isinstance(value, Unresolved)


def _decided(answer: bool | None, node: Mapping) -> Settled:
    if answer is None:
        return Unknown(Unresolved(_written(node)), node.mark)
    return Scalar(_shown(answer), node.mark, plain=True)


def _names_used(name: str, argument: Node) -> list[str]:
    if name == "Ref" and isinstance(argument, Scalar):
        return [argument.text]
    if name == "Fn::Sub":
        template = argument.items[0] if isinstance(argument, Sequence) and argument.items else argument
        if isinstance(template, Scalar):
            return [match[2].strip() for match in _PLACE.finditer(template.text) if not match[1]]
    return []


def _condition_used(name: str, argument: Node) -> str | None:
    if name == "Fn::If" and isinstance(argument, Sequence) and argument.items:
        argument = argument.items[0]
    elif name != "Condition":
        return None
    return argument.text if isinstance(argument, Scalar) else None


def _written(node: Node) -> str:
    """An expression as one line of JSON, cut where it is long."""
    words = "".join(_pieces(node))
    return words if len(words) <= 400 else f"{words[:397]}..."


def _pieces(node: Node) -> Iterator[str]:
    budget = 500
    for piece in _all_pieces(node):
        yield piece
        budget -= len(piece)
        if budget < 0:
            return


def _all_pieces(node: Node) -> Iterator[str]:
    if isinstance(node, Scalar):
        yield json.dumps(node.text[:400] if isinstance(node.value, str) else node.value)
    elif isinstance(node, Sequence):
        for number, item in enumerate(node.items):
            yield ", " if number else "["
            yield from _all_pieces(item)
        yield "]" if node.items else "[]"
    else:
        for number, (key, (_, value)) in enumerate(node.entries.items()):
            yield f'{", " if number else "{"}"{key}": '
            yield from _all_pieces(value)
        yield "}" if node.entries else "{}"
