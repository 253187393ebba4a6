"""All rules, found by looking into the `rules` package: a new rule file is a new rule."""

import importlib
import pkgutil
from functools import cache

from apigw_doctor.diagnosis import rules
from apigw_doctor.diagnosis.rule import Rule


@cache
def catalogue() -> tuple[Rule, ...]:
    """Every rule, the most specific first, ties by code."""
    found = [
        value
        for module in pkgutil.iter_modules(rules.__path__)
        for value in vars(importlib.import_module(f"{rules.__name__}.{module.name}")).values()
        if isinstance(value, Rule)
    ]
    return tuple(sorted(found, key=lambda rule: (-rule.specificity, rule.code)))


def find(code_or_name: str) -> Rule | None:
    """The rule with that code (any case) or name."""
    wanted = code_or_name.strip().lower()
    return next((rule for rule in catalogue() if wanted in (rule.code.lower(), rule.name)), None)
