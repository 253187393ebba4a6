r"""YAML and JSON in which every value still knows its line and column.

A template is read as its author wrote it: a key that is given twice is kept in mind, tags that nobody knows
stay visible, short forms are spelled out, and nothing is executed.

>>> read = load_text("Timeout: 5\nUri: !Sub 'x-${AWS::Region}'", "t.yaml")
>>> read.root.get("Timeout").value, read.root.get("Timeout").mark.place
(5, 't.yaml:1:10')
>>> plain(read.root.get("Uri"))
{'Fn::Sub': 'x-${AWS::Region}'}
"""

import math
import re
from collections.abc import Iterator
from typing import Any, TypeAlias, cast

import msgspec
import yaml

from apigw_doctor.model.errors import NothingReadable

#: Real templates stay below 40 levels; readers walk a tree recursively, so it has to end.
MAX_DEPTH = 100
#: Values with all aliases written out, and their characters: an alias costs three bytes and may stand for anything.
MAX_VALUES = 1_000_000
MAX_CHARACTERS = 64_000_000

_FUNCTIONS = frozenset(
    (
        "And",
        "Base64",
        "Cidr",
        "Equals",
        "FindInMap",
        "ForEach",
        "GetAtt",
        "GetAZs",
        "If",
        "ImportValue",
        "Join",
        "Length",
        "Not",
        "Or",
        "Select",
        "Split",
        "Sub",
        "ToJsonString",
        "Transform",
    )
)
_OWN_NAMES = {"!Ref": "Ref", "!Condition": "Condition"}
_YAML_TAG = "tag:yaml.org,2002:"
_WORDS: dict[str, bool | None] = {
    **dict.fromkeys(("true", "yes", "on"), True),
    **dict.fromkeys(("false", "no", "off"), False),
    **dict.fromkeys(("", "~", "null"), None),
}
_INTEGER = re.compile(r"[-+]?[0-9][0-9_]*")
_OCTAL = re.compile(r"[-+]?0[0-7_]+")
_FLOAT = re.compile(r"[-+]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][-+]?[0-9]+)?")
#: Longer digits are ids, not numbers, and Python refuses to read thousands of them.
_MAX_NUMBER = 40


class Mark(msgspec.Struct, frozen=True, gc=False):
    """Where in which file a value stands; lines and columns count from 1, the end is exclusive."""

    file: str
    line: int
    column: int
    end_line: int = 0
    end_column: int = 0

    @property
    def place(self) -> str:
        """`template.yaml:12:7`, as editors and build logs jump to it."""
        return f"{self.file}:{self.line}:{self.column}"


class Scalar(msgspec.Struct, frozen=True, gc=False):
    """A text, number, flag or null as it is written."""

    text: str
    mark: Mark
    plain: bool = False

    @property
    def value(self) -> str | int | float | bool | None:
        """What the author means: unquoted numbers, flags and nulls are such, all else is text."""
        return _meaning(self.text) if self.plain else self.text


class Sequence(msgspec.Struct, frozen=True):
    """A list."""

    items: tuple["Node", ...]
    mark: Mark


class Mapping(msgspec.Struct, frozen=True):
    """Keys with their values, in the order of the file; of a key given twice the last one counts."""

    entries: dict[str, tuple[Scalar, "Node"]]
    mark: Mark

    def get(self, key: str) -> "Node | None":
        """The value under a key; None where there is none."""
        entry = self.entries.get(key)
        return entry[1] if entry else None

    def items(self) -> Iterator[tuple[Scalar, "Node"]]:
        """Each key, with its own mark, and its value."""
        return iter(self.entries.values())


Node: TypeAlias = Scalar | Sequence | Mapping


class Oddity(msgspec.Struct, frozen=True):
    """Something that was tolerated and that the author should know."""

    mark: Mark
    text: str


class Document(msgspec.Struct, frozen=True):
    """One file as it was read."""

    root: Node
    oddities: tuple[Oddity, ...] = ()


class BrokenText(NothingReadable):
    """A file that is neither YAML nor JSON, with the place where reading ended."""

    def __init__(self, mark: Mark, problem: str, hint: str = "") -> None:
        super().__init__(f"{mark.place}: {problem}.", hint or "Mend the file at this place and run the command again.")
        self.mark = mark


def load_text(text: str, file: str) -> Document:
    """Read a file's text; `file` is the name that marks carry.

    Raises:
        DoctorError: one sentence with file, line and column, for whatever is wrong.
    """
    first = text.lstrip("\ufeff \t\r\n")[:1]
    if first not in ("{", "["):
        return _from_yaml(text, file)
    try:
        return _Json(text, file).document()
    except BrokenText as error:
        # Comments and trailing commas are no JSON, yet YAML takes them.
        try:
            return _from_yaml(text, file)
        except BrokenText as other:
            is_json = re.match(r"[\ufeff\s]*[\[{]\s*\"", text) is not None
            raise (error if is_json else other) from None


def plain(node: Node) -> Any:  # noqa: ANN401 - JSON-like data
    """The bare data of a node: dicts, lists, texts, numbers, flags and None."""
    if isinstance(node, Scalar):
        return node.value
    if isinstance(node, Sequence):
        return [plain(item) for item in node.items]
    return {key: plain(value) for key, (_, value) in node.entries.items()}


def _meaning(text: str) -> str | int | float | bool | None:
    word = text.lower()
    if word in _WORDS:
        return _WORDS[word]
    if len(text) > _MAX_NUMBER or text[:1] not in "+-.0123456789":
        return text
    if _OCTAL.fullmatch(text):
        return int(text.replace("_", ""), 8)
    if _INTEGER.fullmatch(text) and text.lstrip("+-")[:1] != "0":
        return int(text.replace("_", ""))
    if text.lstrip("+-") == "0":
        return 0
    # A leading zero with an 8 or 9 behind it is an account id, whose zero must stay.
    if _FLOAT.fullmatch(text) and not re.match(r"[-+]?0[0-9]", text):
        number = float(text)
        return number if math.isfinite(number) else text
    return text


def _spelled_out(tag: str) -> str:
    """`!Sub` is `Fn::Sub`; a tag that nobody knows stays what it is."""
    name = tag.removeprefix("!").removeprefix("Fn::")
    if tag in _OWN_NAMES:
        return _OWN_NAMES[tag]
    return f"Fn::{name}" if name in _FUNCTIONS else tag


class _Weight:
    """What a value amounts to with its aliases written out: refused before anybody walks it."""

    __slots__ = ("characters", "depth", "values")

    def __init__(self, values: int = 1, characters: int = 0, depth: int = 1) -> None:
        self.values, self.characters, self.depth = values, characters, depth

    def add(self, other: "_Weight", mark: Mark) -> None:
        self.values += other.values
        self.characters += other.characters
        self.depth = max(self.depth, other.depth + 1)
        check_depth(self.depth, mark)
        if self.values > MAX_VALUES or self.characters > MAX_CHARACTERS:
            raise BrokenText(
                mark,
                "the file amounts to too much once its aliases are written out",
                "No template needs this many values; write the part that is used without aliases.",
            )


def check_depth(depth: int, mark: Mark) -> None:
    """Refuse what is nested deeper than any template is."""
    if depth > MAX_DEPTH:
        raise BrokenText(mark, f"values are nested deeper than {MAX_DEPTH} levels", "No template is nested this deep.")


class _Open:
    """A list or mapping that is being read."""

    __slots__ = ("anchor", "is_mapping", "items", "key", "keys", "start", "tag", "weight")

    def __init__(self, event: Any, *, is_mapping: bool) -> None:  # noqa: ANN401 - PyYAML's events carry no types
        self.start, self.tag, self.anchor = event.start_mark, event.tag, event.anchor
        self.is_mapping = is_mapping
        self.items: list[Node] = []
        self.keys: list[Scalar] = []
        self.key: Scalar | None = None
        self.weight = _Weight()


class _Composer:
    """Builds nodes from the parser's events, without recursion and with aliases shared."""

    def __init__(self, file: str) -> None:
        self._file = file
        self._open: list[_Open] = []
        self._anchors: dict[str, tuple[Node, _Weight]] = {}
        self._oddities: list[Oddity] = []
        self._roots: list[Node] = []

    def document(self, events: Iterator[Any]) -> Document:
        for event in events:
            self._take(event)
        roots = [root for root in self._roots if not (isinstance(root, Scalar) and root.value is None)]
        if len(roots) > 1:
            self._oddities.append(Oddity(roots[1].mark, "only the first document of the file is read"))
        root = roots[0] if roots else Scalar("", Mark(self._file, 1, 1), plain=True)
        return Document(root, tuple(self._oddities))

    def _take(self, event: Any) -> None:  # noqa: ANN401
        if isinstance(event, yaml.ScalarEvent):
            self._scalar(event)
        elif isinstance(event, yaml.MappingStartEvent | yaml.SequenceStartEvent):
            self._open.append(_Open(event, is_mapping=isinstance(event, yaml.MappingStartEvent)))
            check_depth(len(self._open), self._mark(event.start_mark, event.end_mark))
        elif isinstance(event, yaml.MappingEndEvent | yaml.SequenceEndEvent):
            self._close(event)
        elif isinstance(event, yaml.AliasEvent):
            self._alias(event)
        elif isinstance(event, yaml.DocumentStartEvent):
            self._anchors.clear()

    def _mark(self, start: Any, end: Any) -> Mark:  # noqa: ANN401
        return Mark(self._file, start.line + 1, start.column + 1, end.line + 1, end.column + 1)

    def _scalar(self, event: Any) -> None:  # noqa: ANN401
        mark = self._mark(event.start_mark, event.end_mark)
        tag = event.tag
        is_plain = not event.style if tag is None else tag.startswith(_YAML_TAG) and tag != f"{_YAML_TAG}str"
        scalar: Node = Scalar(event.value, mark, is_plain)
        weight = _Weight(1, len(event.value))
        if self._has_own_tag(tag):
            scalar = self._tagged(tag, scalar)
            weight.depth = 2
        self._done(scalar, weight, event.anchor)

    def _has_own_tag(self, tag: str | None) -> bool:
        return tag is not None and tag != "!" and not tag.startswith(_YAML_TAG)

    def _tagged(self, tag: str, node: Node) -> Mapping:
        name = _spelled_out(tag)
        if name.startswith("!"):
            self._oddities.append(Oddity(node.mark, f"the tag {name} is not known"))
        return Mapping({name: (Scalar(name, node.mark), node)}, node.mark)

    def _alias(self, event: Any) -> None:  # noqa: ANN401
        mark = self._mark(event.start_mark, event.end_mark)
        if event.anchor not in self._anchors:
            raise BrokenText(mark, f"the alias *{event.anchor} has no anchor before it")
        node, weight = self._anchors[event.anchor]
        self._done(node, weight, None)

    def _close(self, event: Any) -> None:  # noqa: ANN401
        one = self._open.pop()
        mark = self._mark(one.start, event.end_mark)
        node: Node = self._mapping(one, mark) if one.is_mapping else Sequence(tuple(one.items), mark)
        if self._has_own_tag(one.tag):
            node = self._tagged(one.tag, node)
            one.weight.depth += 1
        self._done(node, one.weight, one.anchor)

    def _done(self, node: Node, weight: _Weight, anchor: str | None) -> None:
        if anchor is not None:
            self._anchors[anchor] = (node, weight)
        if not self._open:
            self._roots.append(node)
            return
        parent = self._open[-1]
        parent.weight.add(weight, node.mark)
        if not parent.is_mapping:
            parent.items.append(node)
        elif parent.key is None:
            parent.key = self._key(node)
        else:
            parent.keys.append(parent.key)
            parent.items.append(node)
            parent.key = None

    def _key(self, node: Node) -> Scalar:
        if isinstance(node, Scalar):
            return node
        self._oddities.append(Oddity(node.mark, "a key is a list or a mapping, which no template has"))
        return Scalar("?", node.mark)

    def _mapping(self, one: _Open, mark: Mark) -> Mapping:
        entries: dict[str, tuple[Scalar, Node]] = {}
        merged: list[Node] = []
        for key, value in zip(one.keys, one.items, strict=True):
            if key.text == "<<" and key.plain:
                merged.extend(value.items if isinstance(value, Sequence) else (value,))
                continue
            enter(entries, key, value, self._oddities)
        for source in merged:
            for name, entry in source.entries.items() if isinstance(source, Mapping) else ():
                entries.setdefault(name, entry)
        return Mapping(entries, mark)


def enter(entries: dict[str, tuple[Scalar, Node]], key: Scalar, value: Node, oddities: list[Oddity]) -> None:
    """Put a key into a mapping; the last of two counts, as the deployment tools have it, and is told."""
    if key.text in entries:
        before = entries.pop(key.text)[0].mark.line
        oddities.append(
            Oddity(key.mark, f"the key {key.text} is given twice (first in line {before}); the last counts")
        )
    entries[key.text] = (key, value)


def _from_yaml(text: str, file: str) -> Document:
    # The parser of libyaml is some ten times faster, and takes tabs in JSON, which PyYAML's own does not.
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    try:
        return _Composer(file).document(cast(Iterator[Any], yaml.parse(text, Loader=loader)))
    except yaml.MarkedYAMLError as error:
        raise _broken(error, text, file) from None
    except yaml.reader.ReaderError as error:
        line = text.encode("utf-8", "replace")[: error.position].count(b"\n") + 1
        raise BrokenText(Mark(file, line, 1), "a control character stands here, which YAML does not allow") from None
    except (yaml.YAMLError, ValueError, TypeError, LookupError, RecursionError, AttributeError) as error:
        raise BrokenText(Mark(file, 1, 1), f"this is no YAML ({type(error).__name__})") from None


def _broken(error: yaml.MarkedYAMLError, text: str, file: str) -> BrokenText:
    at = error.problem_mark or error.context_mark
    line, column = (at.line, at.column) if at else (0, 0)
    mark = Mark(file, line + 1, column + 1)
    lines = text.split("\n")
    here = lines[line] if line < len(lines) else ""
    if "\t" in here[: len(here) - len(here.lstrip())]:
        return BrokenText(mark, "a tab indents this line, and YAML allows only spaces", "Replace the tab with spaces.")
    words = error.problem or error.context or "it cannot be read"
    return BrokenText(mark, f"this is no valid YAML: {words}")


_JSON_TOKEN = re.compile(
    r'[ \t\r\n]*(?:(?P<mark>[{}\[\]:,])|"(?P<text>[^"\\\x00-\x1f]*(?:\\.[^"\\\x00-\x1f]*)*)"'
    r"|(?P<bare>-?[0-9][0-9.eE+-]*|true|false|null))",
    re.DOTALL,
)


class _Json:
    """JSON with marks: what libyaml does not take (surrogate pairs, long keys) is no hindrance, and it is faster."""

    def __init__(self, text: str, file: str) -> None:
        self._text, self._file = text.lstrip("\ufeff"), file
        self._line_starts = [0, *(match.end() for match in re.finditer("\n", self._text))]
        self._line = 0
        self._at = 0
        self._oddities: list[Oddity] = []
        self._budget = MAX_VALUES

    def document(self) -> Document:
        root = self._value(*self._next(), depth=1)
        rest = self._text[self._at :].strip()
        if rest:
            raise BrokenText(self._mark(self._at, self._at), "more follows after the end of the JSON value")
        return Document(root, tuple(self._oddities))

    def _mark(self, start: int, end: int) -> Mark:
        line, column = self._place(start)
        end_line, end_column = self._place(end)
        return Mark(self._file, line, column, end_line, end_column)

    def _place(self, at: int) -> tuple[int, int]:
        starts, line = self._line_starts, self._line
        # Marks are asked for nearly in the order of the file, so the line is close to the last one.
        while line + 1 < len(starts) and starts[line + 1] <= at:
            line += 1
        while starts[line] > at:
            line -= 1
        self._line = line
        return line + 1, at - starts[line] + 1

    def _next(self) -> tuple[str, Scalar | None, int]:
        """The next token: its mark of punctuation, or the scalar that it is; and where it begins."""
        match = _JSON_TOKEN.match(self._text, self._at)
        if match is None:
            at = self._at + len(self._text[self._at :]) - len(self._text[self._at :].lstrip())
            what = "the file ends in the middle of a value" if at >= len(self._text) else "this is no valid JSON"
            raise BrokenText(self._mark(min(at, len(self._text)), min(at, len(self._text))), what)
        self._at = match.end()
        if match["mark"]:
            return match["mark"], None, match.start("mark")
        if match["bare"] is not None:
            start = match.start("bare")
            return "", Scalar(match["bare"], self._mark(start, match.end()), plain=True), start
        start = match.start("text") - 1
        return "", Scalar(self._unescaped(match["text"], start), self._mark(start, match.end())), start

    def _unescaped(self, text: str, start: int) -> str:
        if "\\" not in text:
            return text
        try:
            # A lone half of a surrogate pair could not be printed.
            return msgspec.json.decode(f'"{text}"', type=str)
        except msgspec.DecodeError:
            raise BrokenText(self._mark(start, start), "this text has an escape that JSON does not know") from None

    def _value(self, sign: str, scalar: Scalar | None, start: int, depth: int) -> Node:
        self._budget -= 1
        if self._budget < 0:
            raise BrokenText(self._mark(start, start), "the file holds more values than any template has")
        if scalar is not None:
            return scalar
        check_depth(depth, self._mark(start, start))
        if sign == "{":
            return self._object(start, depth)
        if sign == "[":
            return self._array(start, depth)
        raise BrokenText(self._mark(start, start), f"a value is expected, not {sign!r}")

    def _array(self, start: int, depth: int) -> Sequence:
        items: list[Node] = []
        sign, scalar, at = self._next()
        while sign != "]":
            items.append(self._value(sign, scalar, at, depth + 1))
            sign, scalar, at = self._next()
            if sign == ",":
                sign, scalar, at = self._next()
                if sign != "]":
                    continue
            self._expect(sign, "]", at)
        return Sequence(tuple(items), self._mark(start, self._at))

    def _object(self, start: int, depth: int) -> Mapping:
        entries: dict[str, tuple[Scalar, Node]] = {}
        sign, key, at = self._next()
        while sign != "}":
            if key is None:
                raise BrokenText(self._mark(at, at), f"a key is expected, not {sign!r}")
            colon, _, at = self._next()
            self._expect(colon, ":", at)
            enter(entries, key, self._value(*self._next(), depth=depth + 1), self._oddities)
            sign, key, at = self._next()
            if sign == ",":
                sign, key, at = self._next()
                continue
            self._expect(sign, "}", at)
        return Mapping(entries, self._mark(start, self._at))

    def _expect(self, sign: str, wanted: str, at: int) -> None:
        if sign != wanted:
            raise BrokenText(self._mark(at, at), f"{wanted!r} is expected here")
