"""Secrets (and people) out of evidence before it is written to a case file."""

import operator
import re
import sys
from array import array
from collections.abc import Callable
from itertools import islice
from typing import Any

import msgspec

from apigw_doctor.evidence import crowd as crowds
from apigw_doctor.evidence import traffic as traffics
from apigw_doctor.evidence.crowd import Crowd
from apigw_doctor.evidence.redact import Anonymizer, redact
from apigw_doctor.evidence.tables import AppLine, Evidence, LambdaInvocation
from apigw_doctor.evidence.traffic import Traffic

_INT64 = 1 << 63
#: A line that ends where a value would begin, and the first line of a key.
_OVER_LINES = re.compile(r"[\[{(:=,][ \t]*\n|PRIVATE KEY")
_BLOCK = "[REDACTED:block]"


class Cleaner:
    """Takes secrets out of every text; with a key also addresses and principals."""

    def __init__(self, key: bytes | None = None) -> None:
        self._hide: Callable[[str], str] = Anonymizer(key).anonymize if key is not None else str
        self._known: dict[str, str] = {}

    def text(self, text: str) -> str:
        """One text."""
        found = self._known.get(text)
        if found is None:
            found = self._hide(redact(_whole(text)))
            found = self._known[text] = text if found == text else found
        return found

    def forget(self) -> None:
        """Let go of the texts that were seen."""
        self._known.clear()

    def value(self, value: Any) -> Any:  # noqa: ANN401 - any value of a row
        """A value with every text in it cleaned, and no number that a database cannot hold.

        What needs no cleaning is given back itself.
        """
        kind = type(value)
        if kind is str:
            return self.text(value)
        if kind is int:
            return value if -_INT64 <= value < _INT64 else _INT64 - 1 if value > 0 else -_INT64
        if kind is float:
            return max(-sys.float_info.max, min(value, sys.float_info.max)) if value == value else value
        if isinstance(value, msgspec.Struct):
            return self._row(value)
        if kind is dict:
            return {name: self.value(item) for name, item in value.items()}
        if kind in (list, tuple, set):
            found = [self.value(item) for item in value]
            return value if all(map(operator.is_, found, value)) else kind(found)
        return value

    def _row(self, row: msgspec.Struct) -> msgspec.Struct:
        if isinstance(row, LambdaInvocation) and (lines := self._together(row.lines)) is not row.lines:
            row = msgspec.structs.replace(row, lines=lines)
        changed = {
            name: new
            for name in row.__struct_fields__
            if (old := getattr(row, name)) is not None and (new := self.value(old)) is not old
        }
        return msgspec.structs.replace(row, **changed) if changed else row

    def _together(self, lines: tuple[AppLine, ...]) -> tuple[AppLine, ...]:
        """A key and its secret may stand in lines of their own: what is redacted of all together goes."""
        text = "\n".join(line.text for line in lines)
        if _OVER_LINES.search(text) is None or (clean := self._hide(redact(text))) == text:
            return lines
        left = clean.split("\n")
        if len(left) != text.count("\n") + 1:  # a whole block went: what stood in it is not told line by line
            told = set(left)
            return tuple(
                line if told.issuperset(line.text.split("\n")) else msgspec.structs.replace(line, text=_BLOCK)
                for line in lines
            )
        texts = iter(left)
        return tuple(
            msgspec.structs.replace(line, text="\n".join(islice(texts, line.text.count("\n") + 1))) for line in lines
        )

    def evidence(self, evidence: Evidence) -> Evidence:
        """All of it; the lists are changed in place."""
        for name in evidence.__struct_fields__:
            rows = getattr(evidence, name)
            if isinstance(rows, list):
                for number, row in enumerate(rows):
                    rows[number] = self.value(row)
        return msgspec.structs.replace(
            evidence, traffic=self._traffic(evidence.traffic), crowd=self._crowd(evidence.crowd)
        )

    def facts(self, facts: dict[str, Any]) -> dict[str, Any]:
        """What is known of one request, but for the lines that prove it, which its row has."""
        return {name: self.value(value) for name, value in facts.items() if name != "cites"}

    def _traffic(self, traffic: Traffic) -> Traffic:
        found = Traffic()
        numbers = [found.number(self.value(place)) for place in traffic.places]
        for name in traffics.COLUMNS:
            setattr(found, name, getattr(traffic, name))
        found.place = array(traffic.place.typecode, map(numbers.__getitem__, traffic.place))
        return found

    def _crowd(self, crowd: Crowd) -> Crowd:
        found = Crowd()
        numbers = [found.number(self.value(told.name)) for told in crowd.functions]
        for number, told in zip(numbers, crowd.functions, strict=True):
            clean = msgspec.structs.replace(told, calls={}, init_types=self.value(told.init_types))
            for shape, gaps in told.calls.items():
                clean.calls.setdefault(self.text(shape), array("d")).extend(gaps)
            found.functions[number].join(clean)
        for name in crowds.COLUMNS:
            setattr(found, name, getattr(crowd, name))
        found.function = array(crowd.function.typecode, map(numbers.__getitem__, crowd.function))
        return found


def _whole(text: str) -> str:
    """A text that can be written down: half characters, which JSON can escape, are none."""
    return text if text.isascii() else text.encode("utf-8", "replace").decode("utf-8")
