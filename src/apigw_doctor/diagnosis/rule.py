"""What a rule is: metadata, a page, and a pure decision over the parts of a timeline.

A rule is a function whose parameters say by type which parts it needs; `X | None` means that it
can do without. A missing required part gives `NotDecidable`, never silence.
"""

import inspect
import types
import typing
from collections.abc import Callable, Mapping
from typing import Any

import msgspec

from apigw_doctor.evidence.tables import Cite
from apigw_doctor.model.terms import Boundary, Confidence, Layer


class Cause(msgspec.Struct, frozen=True, kw_only=True):
    """A rule's answer: this is what happened.

    `boundary` and `layer` replace those of the clocks and the rule where the rule knows better.
    `spent_ms` is the time the cause is charged with.
    """

    summary: str
    confidence: Confidence
    boundary: Boundary | None = None
    layer: Layer | None = None
    spent_ms: float | None = None
    timer_ms: float | None = None
    cites: tuple[Cite, ...] = ()
    #: causes that were weighed and why they are not the answer: (name, reason)
    why_not: tuple[tuple[str, str], ...] = ()
    fixes: tuple[str, ...] = ()


class NotDecidable(msgspec.Struct, frozen=True, kw_only=True):
    """The rule could apply, and evidence that it needs is missing.

    `missing` holds names of part types (`LambdaInvocation`), or a clause of the rule's own.
    """

    missing: tuple[str, ...]


Answer = Cause | NotDecidable | None
Check = Callable[..., Answer]


class Rule(msgspec.Struct, frozen=True, kw_only=True):
    """One row of the catalogue of causes."""

    code: str
    name: str
    layer: Layer
    fixes: tuple[str, ...]
    references: tuple[str, ...]
    since: str
    #: the more specific of two causes that fit wins; higher is more specific
    specificity: int
    check: Check
    required: tuple[type, ...]
    optional: tuple[type, ...]
    #: name of each parameter of `check`, in their order -> the part that it takes
    parameters: dict[str, type]

    @property
    def page(self) -> str:
        """The documentation page, Markdown."""
        return inspect.cleandoc(self.check.__doc__ or "")

    def evaluate_parts(self, parts: Mapping[type, Any]) -> Answer:
        """The rule's answer for the parts of one request, as `Timeline.parts` gives them; absent is None."""
        find = parts.get
        for kind in self.required:
            if find(kind) is None:
                return NotDecidable(missing=tuple(kind.__name__ for kind in self.required if find(kind) is None))
        return self.check(*map(find, self.parameters.values()))


def rule(
    code: str,
    name: str,
    *,
    layer: Layer,
    specificity: int,
    fixes: tuple[str, ...],
    references: tuple[str, ...],
    since: str = "0.1",
) -> Callable[[Check], Rule]:
    """Make a `Rule` of a function; its parameter types say which parts of a timeline it needs."""

    def wrap(check: Check) -> Rule:
        hints = typing.get_type_hints(check)
        kinds = {name: _unwrap(hints[name]) for name in inspect.signature(check).parameters}
        return Rule(
            code=code,
            name=name,
            layer=layer,
            fixes=fixes,
            references=references,
            since=since,
            specificity=specificity,
            check=check,
            required=tuple(kind for kind, is_optional in kinds.values() if not is_optional),
            optional=tuple(kind for kind, is_optional in kinds.values() if is_optional),
            parameters={name: kind for name, (kind, _) in kinds.items()},
        )

    return wrap


def _unwrap(hint: Any) -> tuple[type, bool]:  # noqa: ANN401 - a type hint
    """`X` -> (X, False); `X | None` -> (X, True)."""
    if isinstance(hint, types.UnionType):
        kinds = [kind for kind in typing.get_args(hint) if kind is not types.NoneType]
        return kinds[0], True
    return hint, False
