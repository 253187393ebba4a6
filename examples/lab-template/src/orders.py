"""Answers at once."""

import json
import logging
from typing import Any

logging.getLogger().setLevel(logging.INFO)


def handler(event: dict[str, Any], context: object) -> dict[str, Any]:
    """One order."""
    order = event["pathParameters"]["id"]
    logging.info("order %s read", order)
    return {"statusCode": 200, "body": json.dumps({"order": order})}
