"""The last step before anybody sees an answer: secrets out, control characters out."""

import secrets
from collections.abc import Callable, Sequence
from enum import Enum
from functools import cache
from typing import Any, Literal, TypeVar, get_args, get_origin, get_type_hints

import msgspec

from apigw_doctor.diagnosis.packed import PackedVerdicts
from apigw_doctor.diagnosis.verdict import Diagnosis
from apigw_doctor.evidence.redact import Anonymizer, clean_terminal, redact

Part = TypeVar("Part", bound=msgspec.Struct)
Step = Callable[[str], str]

#: Fields that hold our own words or fixed terms, and commands: secrets go out of them too, but `?path==` in a
#: query of the AWS CLI is no query value of a person.
_OURS = frozenset({"schema", "code", "cause", "id", "confidence", "boundary", "layer", "remedy", "command"})
#: So many texts are remembered with what became of them; the same come again and again.
_REMEMBERED = 5000


class Hiding:
    """What is taken out of an answer, and what became of the texts met so far."""

    def __init__(self, *, secrets_out: bool = True, anonymous: bool = False, key: bytes | None = None) -> None:
        self._secrets_out = secrets_out
        self._hide = Anonymizer(key or secrets.token_bytes(32)).anonymize if anonymous else None
        #: text -> what is left of it; None: all of it
        self._ours: dict[str, str | None] = {}
        self._theirs: dict[str, str | None] = {} if anonymous else self._ours

    def answer(self, diagnosis: Diagnosis) -> Diagnosis:
        """The answer without what is to be hidden; packed verdicts went through here already."""
        verdicts = diagnosis.verdicts
        if not isinstance(verdicts, PackedVerdicts):
            verdicts = tuple(map(self.part, verdicts))
        rest = self.part(msgspec.structs.replace(diagnosis, verdicts=()))
        return msgspec.structs.replace(rest, verdicts=verdicts)

    def part(self, part: Part) -> Part:
        """A part of the answer, every text in it changed; the same object where nothing was to be changed."""
        changed = {}
        for name, ours in _fields(type(part)):
            value = getattr(part, name)
            if value is None:
                continue
            new = self._text(value, ours=ours) if type(value) is str else self._value(value, ours=ours)
            if new is not None:
                changed[name] = new
        return msgspec.structs.replace(part, **changed) if changed else part

    def _text(self, text: str, *, ours: bool) -> str | None:
        """What is left of a text; None: all of it."""
        known = self._ours if ours else self._theirs
        return known[text] if text in known else self._learn(text, known, ours=ours)

    def _value(self, value: Any, *, ours: bool) -> Any:  # noqa: ANN401 - whatever a field holds
        """What is left of it; None: all of it."""
        if isinstance(value, msgspec.Struct):
            new = self.part(value)
            return None if new is value else new
        if isinstance(value, str):
            return self._text(value, ours=ours)
        if isinstance(value, tuple | list):
            return self._values(value, ours=ours)
        if isinstance(value, dict):
            left = self._values(tuple(value.values()), ours=ours)
            return None if left is None else dict(zip(value, left, strict=True))
        return None

    def _values(self, values: Sequence[Any], *, ours: bool) -> tuple[Any, ...] | None:
        left = [self._value(item, ours=ours) for item in values]
        if left.count(None) == len(left):
            return None
        return tuple(old if new is None else new for old, new in zip(values, left, strict=True))

    def _learn(self, text: str, known: dict[str, str | None], *, ours: bool) -> str | None:
        if len(known) >= _REMEMBERED:
            known.clear()
        clean = clean_terminal(text)
        if self._secrets_out:
            clean = redact(clean)
        if self._hide is not None and not ours:
            clean = self._hide(clean)
        known[text] = new = None if clean == text else clean
        return new


def redacted(
    diagnosis: Diagnosis, *, secrets_out: bool = True, anonymous: bool = False, key: bytes | None = None
) -> Diagnosis:
    """The same answer without secrets; with `anonymous` also without addresses and principals, hashed with `key`."""
    if isinstance(diagnosis.verdicts, PackedVerdicts):
        diagnosis = msgspec.structs.replace(diagnosis, verdicts=tuple(diagnosis.verdicts))
    return Hiding(secrets_out=secrets_out, anonymous=anonymous, key=key).answer(diagnosis)


@cache
def _fields(kind: type[msgspec.Struct]) -> tuple[tuple[str, bool], ...]:
    """The fields that may hold a text which is not one of a few fixed terms, and whether they are ours."""
    hints = get_type_hints(kind)
    return tuple(
        (field.name, field.encode_name in _OURS)
        for field in msgspec.structs.fields(kind)
        if not _is_fixed(hints[field.name])
    )


def _is_fixed(hint: Any) -> bool:  # noqa: ANN401 - a type hint
    """No text that somebody else wrote can stand there: numbers and terms of our own."""
    if get_origin(hint) is Literal:
        return True
    if get_args(hint):
        return all(item is Ellipsis or _is_fixed(item) for item in get_args(hint))
    return isinstance(hint, type) and (issubclass(hint, (int, float, Enum)) or hint is type(None))
