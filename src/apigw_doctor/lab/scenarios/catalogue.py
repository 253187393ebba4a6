"""All scenarios by name."""

import importlib
import pkgutil
from functools import cache

from apigw_doctor.lab.scenarios import incidents
from apigw_doctor.lab.scenarios.incident import Scenario
from apigw_doctor.model.errors import UsageError


@cache
def scenarios() -> dict[str, Scenario]:
    """Every scenario, by name in order."""
    modules = [
        importlib.import_module(f"{incidents.__name__}.{info.name}")
        for info in pkgutil.iter_modules(incidents.__path__)
    ]
    found = [one for module in modules for one in vars(module).values() if isinstance(one, Scenario)]
    return {one.name: one for one in sorted(found, key=lambda one: one.name)}


def find(name: str) -> Scenario:
    """The scenario of this name; an unknown one is told with those that exist."""
    known = scenarios()
    if name not in known:
        raise UsageError(
            f"there is no scenario {name!r}", hint=f"apigw-doctor lab scenarios lists them: {', '.join(known)}"
        )
    return known[name]
