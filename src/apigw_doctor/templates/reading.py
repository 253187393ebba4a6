"""What all readers share while one template is read: its resources, its expressions, and what was not understood."""

import difflib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import msgspec

from apigw_doctor.templates.intrinsics import Resolver, Unknown, Unresolved
from apigw_doctor.templates.marked import Mapping, Mark, Node, Scalar, Sequence
from apigw_doctor.templates.model import OtherResource, Problem, ProblemKind

#: Other resources keep the places of their first values; none that a rule asks for comes later.
_MAX_MARKS = 2_000
_MAX_KEY, _CLOSE = 60, 0.85
_TRUE, _FALSE = frozenset({"true", "yes", "1"}), frozenset({"false", "no", "0"})


class Resource(msgspec.Struct, frozen=True):
    """One entry of a template's `Resources`."""

    logical_id: str
    type: str
    properties: Mapping
    mark: Mark
    metadata: Mapping
    attributes: Mapping

    @property
    def construct(self) -> str | None:
        """The CDK construct that made it."""
        path = self.metadata.get("aws:cdk:path")
        return path.text if isinstance(path, Scalar) else None


class Reading:
    """One template while it is read."""

    def __init__(self, directory: Path, resolver: Resolver, load: Callable[[str, Mark], Node | None]) -> None:
        self.directory = directory
        self.resolver = resolver
        #: reads a file that the template names by a local path; None, with a problem noted, where it cannot
        self.load = load
        self.problems: list[Problem] = []
        self.resources: dict[str, Resource] = {}

    def problem(self, mark: Mark, text: str, kind: ProblemKind = "not-understood") -> None:
        """Note what the model does not hold."""
        one = Problem(file=mark.file, line=mark.line, column=mark.column, text=text, kind=kind)
        if one not in self.problems[-20:]:
            self.problems.append(one)

    def of_type(self, *types: str) -> Iterator[Resource]:
        """The resources of these types, in the order of the file."""
        return (one for one in self.resources.values() if one.type in types)

    def fields(self, node: Node | None, mark: Mark, what: str) -> "Fields":
        """Read properties; `what` names their owner in problems."""
        settled = self.resolver.settle(node) if node is not None else None
        if isinstance(settled, Mapping):
            return Fields(self, settled, what)
        if settled is not None and not _is_empty(settled):
            words = f" ({settled.value.expression})" if isinstance(settled, Unknown) else ""
            self.problem(settled.mark, f"{what}: a mapping is expected here{words}")
        return Fields(self, Mapping({}, mark), what)


class Fields:
    """Reads the properties of one thing into a record's fields, and keeps where each one stands.

    A property that is not there leaves its field to the record's default. What is there and is not of the expected
    kind is a problem, and its field `Unresolved`.
    """

    def __init__(self, reading: Reading, node: Mapping, what: str) -> None:
        self.reading, self.node, self.what = reading, node, what
        self.values: dict[str, Any] = {}
        self.marks: dict[str, Mark] = {}
        self.depends: dict[str, tuple[str, ...]] = {}
        self._asked: set[str] = set()

    def record(self) -> dict[str, Any]:
        """The arguments of a record: what was read, and its places."""
        return {**self.values, "marks": self.marks, "depends": self.depends}

    def put(self, field: str, value: Any, key: str, node: Node | None = None) -> None:  # noqa: ANN401
        """Set a field that was worked out from a property."""
        self.values[field] = value
        source = node if node is not None else self.node.get(key)
        if source is not None:
            self.marks[field] = source.mark
            if names := self.reading.resolver.depends(source):
                self.depends[field] = names

    def settled(self, key: str) -> Node | Unknown | None:
        """What a property comes to; None where it is not there, or is null."""
        self._asked.add(key)
        node = self.node.get(key)
        settled = self.reading.resolver.settle(node) if node is not None else None
        return None if settled is None or _is_empty(settled) else settled

    def has(self, key: str) -> bool:
        """Whether a property is there."""
        return self.settled(key) is not None

    def peek(self, key: str) -> str | Unresolved | None:
        """A property as text, without a field for it."""
        settled = self.settled(key)
        if settled is None:
            return None
        if isinstance(settled, Unknown):
            return settled.value
        if isinstance(settled, Scalar):
            return settled.text
        self.reading.problem(settled.mark, f"{self.what}: {key} is not a text")
        return Unresolved(key)

    def known(self, key: str) -> str | None:
        """A property as text where it is known; the expression where it is not."""
        found = self.peek(key)
        return found.expression if isinstance(found, Unresolved) else found

    def text(self, field: str, key: str) -> None:
        """Read a text."""
        found = self.peek(key)
        if found is not None:
            self.put(field, found, key)

    def number(self, field: str, key: str, times: float = 1.0) -> None:
        """Read a number, written as such or as text."""
        found = self.peek(key)
        if found is None:
            return
        if isinstance(found, Unresolved):
            candidates = tuple(number * times for one in found.candidates if (number := as_number(one)) is not None)
            self.put(field, Unresolved(found.expression, candidates), key)
            return
        number = as_number(found)
        if number is None and "${" not in found:
            self.reading.problem(self.node.entries[key][1].mark, f"{self.what}: {key} is not a number ({_cut(found)})")
        self.put(field, Unresolved(found) if number is None else number * times, key)

    def flag(self, field: str, key: str) -> None:
        """Read a flag, written as such or as text."""
        found = self.peek(key)
        if found is None:
            return
        word = found.lower() if isinstance(found, str) else ""
        if isinstance(found, Unresolved):
            self.put(field, found, key)
        elif word in _TRUE or word in _FALSE:
            self.put(field, word in _TRUE, key)
        else:
            self.reading.problem(self.node.entries[key][1].mark, f"{self.what}: {key} is no flag ({_cut(found)})")
            self.put(field, Unresolved(found), key)

    def choice(self, field: str, key: str, choices: dict[str, Any], change: Callable[[str], str] = str.upper) -> None:
        """Read one of some words."""
        found = self.peek(key)
        if found is None:
            return
        if isinstance(found, Unresolved):
            candidates = tuple(choices[word] for one in found.candidates if (word := change(str(one))) in choices)
            self.put(field, Unresolved(found.expression, candidates), key)
            return
        if change(found) not in choices:
            words = ", ".join(dict.fromkeys(choices))
            self.reading.problem(
                self.node.entries[key][1].mark, f"{self.what}: {key} is none of {words} ({_cut(found)})"
            )
        self.put(field, choices.get(change(found), Unresolved(found)), key)

    def texts(self, field: str, key: str) -> None:
        """Read a mapping of texts."""
        settled = self.settled(key)
        if settled is None:
            return
        if not isinstance(settled, Mapping):
            self.reading.problem(settled.mark, f"{self.what}: {key} is not a mapping")
            return
        self.put(field, self.reading_texts(settled), key)

    def reading_texts(self, node: Mapping) -> dict[str, str | Unresolved]:
        """The texts of a mapping by key; what is no text is `Unresolved`."""
        found: dict[str, str | Unresolved] = {}
        for key, value in node.items():
            settled = self.reading.resolver.settle(value)
            if settled is None:
                continue
            found[key.text] = (
                settled.text
                if isinstance(settled, Scalar)
                else settled.value
                if isinstance(settled, Unknown)
                else Unresolved(key.text)
            )
        return found

    def items(self, key: str) -> tuple[Node | Unknown, ...]:
        """The items of a list, each worked out; a single value is a list of one."""
        settled = self.settled(key)
        if settled is None:
            return ()
        if not isinstance(settled, Sequence):
            return (settled,)
        found = (self.reading.resolver.settle(item) for item in settled.items)
        return tuple(item for item in found if item is not None)

    def item_texts(self, key: str) -> tuple[str | Unresolved, ...]:
        """The texts of a list."""
        return tuple(
            item.text if isinstance(item, Scalar) else item.value if isinstance(item, Unknown) else Unresolved(key)
            for item in self.items(key)
        )

    def child(self, key: str) -> "Fields":
        """The properties below a property; empty where it is not there."""
        self._asked.add(key)
        return self.reading.fields(self.node.get(key), self.node.mark, f"{self.what}: {key}")

    def children(self, key: str) -> Iterator[tuple[str, "Fields"]]:
        """The named properties of a mapping of mappings."""
        for name, node in self.child(key).node.items():
            if self.reading.resolver.settle(node) is not None:
                yield name.text, self.reading.fields(node, name.mark, f"{self.what}: {name.text}")

    def note_misspelt(self) -> None:
        """Name the properties that look like one that was looked for in vain: AWS's default holds in its place."""
        missing = {key.lower(): key for key in self._asked if key not in self.node.entries}
        for key, (name, _) in self.node.entries.items():
            if key in self._asked or len(key) > _MAX_KEY:
                continue
            close = difflib.get_close_matches(key.lower(), missing, 1, _CLOSE)
            if close:
                self.reading.problem(
                    name.mark, f"{self.what}: {key} is not known; perhaps {missing[close[0]]} is meant"
                )

    def adopt(self, other: "Fields") -> None:
        """Take over the fields that were read from a property below."""
        self.values |= other.values
        self.marks |= other.marks
        self.depends |= other.depends


def other_resource(reading: Reading, resource: Resource) -> OtherResource:
    """A resource that no reader knows by name, with all its values and their places."""
    return OtherResource(
        mark=resource.mark,
        logical_id=resource.logical_id,
        type=resource.type,
        construct=resource.construct,
        **generic(reading, resource.properties),
    )


def generic(reading: Reading, properties: Mapping) -> dict[str, Any]:
    """`values` and `marks` of an `OtherResource`."""
    marks: dict[str, Mark] = {}
    _note_marks(reading, properties, "", marks)
    depends = {key.text: names for key, node in properties.items() if (names := reading.resolver.depends(node))}
    values = reading.resolver.value(properties)
    return {"values": values if isinstance(values, dict) else {}, "marks": marks, "depends": depends}


def as_number(value: object) -> float | None:
    """A number, also one that is written as text."""
    if isinstance(value, bool):
        return None
    if isinstance(value, int | float):
        return float(value)
    meant = Scalar(value.strip(), Mark("", 1, 1), plain=True).value if isinstance(value, str) else None
    return float(meant) if isinstance(meant, int | float) and not isinstance(meant, bool) else None


def _note_marks(reading: Reading, node: Node, path: str, marks: dict[str, Mark]) -> None:
    if len(marks) >= _MAX_MARKS:
        return
    settled = reading.resolver.settle(node)
    if settled is None:
        return
    if path:
        marks[path] = node.mark
    dot = f"{path}." if path else ""
    if isinstance(settled, Mapping):
        for key, value in settled.items():
            _note_marks(reading, value, f"{dot}{key.text}", marks)
    elif isinstance(settled, Sequence):
        for number, item in enumerate(settled.items):
            _note_marks(reading, item, f"{dot}{number}", marks)


def _is_empty(settled: Node | Unknown) -> bool:
    return isinstance(settled, Scalar) and settled.value is None


def _cut(text: str) -> str:
    return text if len(text) <= 60 else f"{text[:57]}..."
