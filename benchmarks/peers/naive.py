"""The script that everybody writes first: a regular expression on every line, a dictionary of all requests."""

import json
import re
import sys
from pathlib import Path

LINE = re.compile(r"^(\S+) \(([0-9a-f-]{36})\) (.*)$")
ROUTE = re.compile(r"HTTP Method: (\w+), Resource Path: (\S+)")
LATENCY = re.compile(r"Received response\. Status: (\d+), Integration latency: (\d+) ms")
STATUS = re.compile(r"Method completed with status: (\d+)")
FAILED = re.compile(r"Execution failed due to (.*)")
LAMBDA = re.compile(r"AWS Integration Endpoint RequestId : (\S+)")
TRACE = re.compile(r"X-ray Tracing ID : (\S+)")


def main() -> None:
    """Group, count, print."""
    requests: dict[str, dict[str, str]] = {}
    for path in sorted(Path(sys.argv[1]).rglob("*.log")):
        with path.open() as file:
            for line in file:
                if not (match := LINE.match(line)):
                    continue
                at, request_id, words = match.groups()
                row = requests.setdefault(request_id, {"first": at})
                row["last"] = at
                for name, pattern in (("failed", FAILED), ("lambda", LAMBDA), ("trace", TRACE), ("status", STATUS)):
                    if found := pattern.match(words):
                        row[name] = found[1]
                if found := ROUTE.match(words):
                    row["method"], row["route"] = found.groups()
                if found := LATENCY.match(words):
                    row["latency"] = found[2]
    status = [int(row.get("status", 0)) for row in requests.values()]
    counts = {
        "requests": len(requests),
        "failed": sum(code >= 500 for code in status),
        "status_sum": sum(status),
        "integration_ms_sum": sum(int(row.get("latency", 0)) for row in requests.values()),
    }
    sys.stdout.write(json.dumps(counts) + "\n")


if __name__ == "__main__":
    main()
