"""The last step before anybody sees an answer: secrets out, control characters out."""

import secrets
from collections.abc import Callable
from typing import Any

import msgspec

from apigw_doctor.diagnosis.verdict import Diagnosis
from apigw_doctor.evidence.redact import Anonymizer, clean_terminal, redact

#: Fields that hold our own words or fixed terms, and commands that must stay whole.
_OURS = frozenset({"schema", "code", "cause", "id", "confidence", "boundary", "layer", "remedy", "command"})


def redacted(diagnosis: Diagnosis, *, secrets_out: bool = True, anonymous: bool = False) -> Diagnosis:
    """The same answer without secrets; with `anonymous` also without addresses and principals."""
    steps: list[Callable[[str], str]] = [clean_terminal]
    if secrets_out:
        steps.append(redact)
    if anonymous:
        steps.append(Anonymizer(secrets.token_bytes(32)).anonymize)

    def clean(text: str) -> str:
        for step in steps:
            text = step(text)
        return text

    value = msgspec.to_builtins(diagnosis)
    return msgspec.convert(_walk(value, clean, {}), Diagnosis)


def _walk(value: Any, clean: Callable[[str], str], memo: dict[str, str]) -> Any:  # noqa: ANN401 - JSON
    if isinstance(value, str):
        if (known := memo.get(value)) is None:
            known = memo[value] = clean(value)
        return known
    if isinstance(value, dict):
        return {key: _harmless(item) if key in _OURS else _walk(item, clean, memo) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_walk(item, clean, memo) for item in value]
    return value


def _harmless(value: Any) -> Any:  # noqa: ANN401 - JSON
    """Our own words stay whole, but a command may quote a route: no control characters even there."""
    return clean_terminal(value) if isinstance(value, str) else value
