"""The JSON Schema of the answer: made from the types, shipped beside this module, written by `python -m` of it."""

from pathlib import Path
from typing import Any

import msgspec

from apigw_doctor.diagnosis.verdict import SCHEMA, Diagnosis

FILE = Path(__file__).with_name("diagnosis.schema.json")
_DIALECT = "https://json-schema.org/draft/2020-12/schema"


def json_schema() -> dict[str, Any]:
    """Return the schema of `diagnose --format json`.

    Keys that it does not know are allowed: within `/1` keys may be added.
    """
    made = msgspec.json.schema(Diagnosis)
    made["$defs"]["Diagnosis"]["properties"]["schema"] = {"const": SCHEMA}
    return {
        "$schema": _DIALECT,
        "$id": f"urn:{SCHEMA.replace('/', ':')}",
        "title": "apigw-doctor diagnosis, version 1",
        "description": (
            "What `apigw-doctor diagnose --format json` prints. Times are ISO 8601 UTC with milliseconds,"
            " durations are milliseconds, unknown is null. Readers ignore keys that they do not know."
        ),
        **made,
    }


def schema_text() -> str:
    """Return the schema as the text of the shipped file."""
    return msgspec.json.format(msgspec.json.encode(json_schema()), indent=2).decode() + "\n"


if __name__ == "__main__":
    FILE.write_text(schema_text(), encoding="utf-8")
