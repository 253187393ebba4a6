"""What the policy of an authorizer says of one method.

>>> arn = "arn:aws:execute-api:eu-west-1:123456789012:a1b2c3d4e5/prod/GET/orders/42"
>>> policy = {"Statement": [{"Effect": "Allow", "Action": "execute-api:Invoke", "Resource": "arn:*/prod/GET/*"}]}
>>> judge(policy, arn)
'allow'
"""

import re
from typing import Any, Literal

Verdict = Literal["allow", "deny", "silent"]
_ACTIONS = ("execute-api:Invoke", "execute-api:invoke")


class PolicyError(ValueError):
    """No policy at all."""


def judge(policy: Any, arn: str) -> Verdict:  # noqa: ANN401 - a function may answer anything
    """`deny` wins over `allow`; `silent` where nothing speaks of this method. `PolicyError` if it cannot be read."""
    if not isinstance(policy, dict):
        raise PolicyError("no policy document")
    verdict: Verdict = "silent"
    for statement in _listed(policy.get("Statement")):
        if not isinstance(statement, dict) or statement.get("Effect") not in ("Allow", "Deny"):
            raise PolicyError("a statement has no effect")
        if not _speaks_of(statement, arn):
            continue
        if statement["Effect"] == "Deny":
            return "deny"
        verdict = "allow"
    return verdict


def _speaks_of(statement: dict[str, Any], arn: str) -> bool:
    actions = [one for one in _listed(statement.get("Action")) if isinstance(one, str)]
    resources = [one for one in _listed(statement.get("Resource")) if isinstance(one, str)]
    named = any(_covers(one, action) for one in actions for action in _ACTIONS)
    return named and any(_covers(one, arn) for one in resources)


def _covers(pattern: str, text: str) -> bool:
    """`*` is any text, `?` one character; runs of stars are one, so that matching stays fast."""
    parts = [re.escape(part).replace(r"\?", ".") for part in re.sub(r"\*+", "*", pattern).split("*")]
    # Each part is looked for after the one before it: no backtracking over several stars.
    position, last = 0, len(parts) - 1
    for number, part in enumerate(parts):
        if number == 0:
            found = re.compile(part).match(text)
        elif number == last:
            found = re.compile(f"{part}$").search(text, position)
        else:
            found = re.compile(part).search(text, position)
        if found is None:
            return False
        position = found.end()
    return last > 0 or position == len(text)


def _listed(given: Any) -> list[Any]:  # noqa: ANN401
    if given is None:
        raise PolicyError("a policy without statements, actions or resources")
    return given if isinstance(given, list) else [given]
