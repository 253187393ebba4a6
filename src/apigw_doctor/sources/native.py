"""The native line work where it was built: without it, or with `APIGW_DOCTOR_NATIVE=0`, Python does the same."""

import os
from types import ModuleType


def native() -> ModuleType | None:
    """The compiled module; None where it was not built, or is not wanted."""
    if os.environ.get("APIGW_DOCTOR_NATIVE") == "0":
        return None
    try:
        from apigw_doctor.sources import _native
    except ImportError:
        return None
    return _native
