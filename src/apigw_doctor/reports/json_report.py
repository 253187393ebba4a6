"""The answer as JSON, exactly as the shipped schema describes it."""

import msgspec

from apigw_doctor.diagnosis.verdict import Diagnosis
from apigw_doctor.reports.escape import clean_values


def render(diagnosis: Diagnosis) -> str:
    """Return the answer as JSON: two spaces of indent, letters as they are, no control characters."""
    answer = clean_values(msgspec.to_builtins(diagnosis))
    return msgspec.json.format(msgspec.json.encode(answer), indent=2).decode() + "\n"
