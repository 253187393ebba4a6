"""The native line work where it was built: without it, or with `APIGW_DOCTOR_NATIVE=0`, Python does the same."""

import os
from types import ModuleType

#: What is asked of the module, as native/module.c says it too: a source tree may hold one that is older.
_INTERFACE = 2


def alike_lines(text: bytes) -> int:
    """How many lines there are; -1 when one does not begin with `{` or not end with `}`."""
    module = native()
    if module is not None:
        found: int = module.alike_lines(text)
        return found
    count = text.count(b"}\n{") + 1
    ends = text[:1] == b"{" and (text[-1:] == b"}" or text[-2:] == b"}\n")
    return count if ends and text.count(b"\n") == count - (text[-1:] != b"\n") else -1


def native() -> ModuleType | None:
    """The compiled module; None where it was not built, was built from other sources, or is not wanted."""
    if os.environ.get("APIGW_DOCTOR_NATIVE") == "0":
        return None
    try:
        from apigw_doctor.sources import _native
    except ImportError:
        return None
    return _native if getattr(_native, "INTERFACE", None) == _INTERFACE else None
