"""Takes as long as it is asked to: `?seconds=5`."""

import json
import logging
import time
from typing import Any

logging.getLogger().setLevel(logging.INFO)


def handler(event: dict[str, Any], context: object) -> dict[str, Any]:
    """A report."""
    seconds = float((event.get("queryStringParameters") or {}).get("seconds", "0.1"))
    logging.info("report started, %s s of work", seconds)
    time.sleep(seconds)
    logging.info("report done")
    return {"statusCode": 200, "body": json.dumps({"seconds": seconds})}
