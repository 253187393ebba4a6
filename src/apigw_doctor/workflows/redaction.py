"""The last step before anybody sees an answer: secrets out, control characters out."""

import secrets
from collections.abc import Callable
from functools import cache
from typing import Any

import msgspec

from apigw_doctor.diagnosis.verdict import Diagnosis
from apigw_doctor.evidence.redact import Anonymizer, clean_terminal, redact

#: Fields that hold our own words or fixed terms, and commands: secrets go out of them too, but `?path==` in a
#: query of the AWS CLI is no query value of a person.
_OURS = frozenset({"schema", "code", "cause", "id", "confidence", "boundary", "layer", "remedy", "command"})


def redacted(
    diagnosis: Diagnosis, *, secrets_out: bool = True, anonymous: bool = False, key: bytes | None = None
) -> Diagnosis:
    """The same answer without secrets; with `anonymous` also without addresses and principals, hashed with `key`."""
    hide = Anonymizer(key or secrets.token_bytes(32)).anonymize if anonymous else _same

    @cache
    def clean(text: str) -> str:
        text = clean_terminal(text)
        return redact(text) if secrets_out else text

    @cache
    def clean_and_hide(text: str) -> str:
        return hide(clean(text))

    return msgspec.convert(_walk(msgspec.to_builtins(diagnosis), clean_and_hide, clean), Diagnosis)


def _same(text: str) -> str:
    return text


def _walk(value: Any, step: Callable[[str], str], ours: Callable[[str], str]) -> Any:  # noqa: ANN401 - JSON
    """Every text through `step`; those of our own fields through `ours`."""
    if isinstance(value, str):
        return step(value)
    if isinstance(value, dict):
        return {key: _walk(item, ours if key in _OURS else step, ours) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_walk(item, step, ours) for item in value]
    return value
