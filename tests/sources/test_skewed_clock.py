"""A Lambda log whose clock is off the gateway's, read in bulk: the time window looks where the log's clock says."""

from datetime import UTC, datetime
from pathlib import Path

from apigw_doctor.sources.collect import collect
from apigw_doctor.workflows.diagnose import Period, diagnose

START_MS = 1772359200000
BEHIND_MS = 3000
URI = (
    "https://lambda.us-east-1.amazonaws.com/2015-03-31/functions/arn:aws:lambda:us-east-1:123456789012:function:orders"
    "/invocations"
)


def iso(at: int) -> str:
    return datetime.fromtimestamp(at / 1000, UTC).strftime("%Y-%m-%dT%H:%M:%S.%f")[:-3] + "Z"


def write(folder: Path) -> None:
    """Four answered requests that name their invocations, and a timed-out one that cannot."""
    gateway, function = [], []
    for number in range(5):
        at, cut = START_MS + number * 60_000, number == 4
        took = 35_000 if cut else 200
        request, invocation = (
            f"c0ffee00-0000-4000-8000-00000000000{number}",
            f"beefed00-0000-4000-8000-00000000000{number}",
        )
        words = [(0, f"Starting execution for request: {request}"), (0, "HTTP Method: GET, Resource Path: /orders")]
        words.append((5, f"Sending request to {URI}"))
        if cut:
            words += [
                (29_006, "Execution failed due to a timeout error"),
                (29_006, "Method completed with status: 504"),
            ]
        else:
            words.append((220, "Received response. Status: 200, Integration latency: 215 ms"))
            words.append((221, "Method completed with status: 200"))
            words.append((221, f"AWS Integration Endpoint RequestId : {invocation}"))
        gateway += [f"{iso(at + after)} ({request}) {text}" for after, text in words]
        begun = at + 10 - BEHIND_MS
        function.append(f"{iso(begun)} START RequestId: {invocation} Version: $LATEST")
        function.append(f"{iso(begun + took)} END RequestId: {invocation}")
        function.append(
            f"{iso(begun + took)} REPORT RequestId: {invocation}\tDuration: {took}.00 ms\tBilled Duration: {took} ms"
            "\tMemory Size: 128 MB\tMax Memory Used: 71 MB\t"
        )
    (folder / "execution.log").write_text("".join(f"{line}\n" for line in gateway))
    stream = folder / "aws/lambda/orders/2026/03/01/[$LATEST]0123456789abcdef0123456789abcdef.log"
    stream.parent.mkdir(parents=True)
    stream.write_text("".join(f"{line}\n" for line in function))


def test_an_invocation_is_found_by_time_on_a_clock_that_is_behind(tmp_path: Path) -> None:
    write(tmp_path)
    for bulk_from in (1 << 60, 0):
        found = diagnose(collect((str(tmp_path),), bulk_from=bulk_from, processes=1), Period())
        [verdict] = found.verdicts
        assert verdict.invocation is not None
        assert verdict.invocation.request_id == "beefed00-0000-4000-8000-000000000004"
        assert (verdict.invocation.join, verdict.cause) == ("time-window", "backend-slower-than-limit")
