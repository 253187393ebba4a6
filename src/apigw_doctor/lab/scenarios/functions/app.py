"""The handler behind every scenario: does step by step what the schedule wants of this invocation.

It logs as applications do: what it is about to call, and what came back. What its log says is all that a diagnosis
gets to see of the steps.
"""

# Plain code as in many functions; `lab` is there in the function's process only.
# mypy: ignore-errors

import http.client
import json
import logging
import os
import pathlib
import socket
import sys
import threading
import time

import lab

log = logging.getLogger()
log.setLevel(logging.INFO)

# Environments that are made ahead of requests have no plan: their variables say how long they load.
time.sleep(lab.plan().get("init_ms", float(os.environ.get("MODEL_LOAD_MS", "0"))) / 1000.0)
_first = True
_pools = {}
_ERRORS = {"KeyError": KeyError, "ValueError": ValueError, "RuntimeError": RuntimeError}


class UpstreamError(Exception):
    """A call failed for good."""


def handler(event, context):
    """Run the steps of the plan and answer."""
    global _first
    plan = lab.plan()
    if plan.get("log_request_id"):
        log.info("request %s", event.get("requestContext", {}).get("requestId"))
    steps = list(plan.get("lazy", ())) * _first + plan.get("steps", [])
    _first = False
    say = node_line(context) if plan.get("node") else log.info
    for step in steps:
        if step.get("say"):
            say(step["say"])
        _STEPS[step["do"]](step, plan)
        if step.get("done"):
            say(step["done"])
    return answer(plan, context)


def node_line(context):
    """How console.log of Node's runtime writes."""

    def say(text):
        now = time.time()
        moment = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(now))
        sys.stdout.write(f"{moment}.{int(now * 1000) % 1000:03d}Z\t{context.aws_request_id}\tINFO\t{text}\n")
        sys.stdout.flush()

    return say


def answer(plan, context):
    """What the plan wants to be returned."""
    if plan.get("malformed"):
        return ["not", "a", "proxy", "response"]
    if "bytes" in plan:
        return {"statusCode": 200, "body": "x" * plan["bytes"]}
    status = plan.get("status", 200)
    return {
        "statusCode": status,
        "headers": {"Content-Type": "application/json"},
        "body": json.dumps(plan.get("body", {"ok": status < 400})),
    }


def work(step, plan):
    """The function's own work."""
    time.sleep(step["ms"] / 1000.0)


def progress(step, plan):
    """Work that tells how far it is."""
    each = step["ms"] / step["parts"]
    for number in range(step["parts"]):
        time.sleep(each / 1000.0)
        log.info(step["text"].format(number + 1, step["parts"]))


def hang(step, plan):
    """Never comes back."""
    time.sleep(100_000.0)


def call(step, plan):
    """Call a service over HTTP, with the client's own timeout and retries."""
    if step.get("trace"):
        from aws_xray_sdk.core import xray_recorder

        with xray_recorder.in_subsegment(step["trace"], namespace="remote"):
            request(step, plan)
    else:
        request(step, plan)


def request(step, plan):
    """Attempts until one answers."""
    host, port = plan["services"][step["to"]]
    attempts = step.get("attempts", 1)
    for attempt in range(1, attempts + 1):
        connection = http.client.HTTPConnection(host, port, timeout=step.get("timeout_s"))
        try:
            ms = step.get("ms", 0) if attempt == 1 else step.get("ms_again", step.get("ms", 0))
            connection.request("GET", f"/{step.get('path', '')}?ms={ms:.0f}")
            response = connection.getresponse()
            response.read()
            if response.status < 500:
                return
            failure = f"status {response.status}"
        except (OSError, http.client.HTTPException) as error:
            failure = f"{type(error).__name__}: {error}"
        finally:
            connection.close()
        if step.get("failed"):
            log.warning(step["failed"].format(attempt=attempt, attempts=attempts, failure=failure))
        if attempt < attempts:
            time.sleep(step.get("backoff_ms", 0) / 1000.0)
    if not step.get("swallow"):
        raise UpstreamError(f"{step.get('name', step['to'])} failed: {failure}")


def query(step, plan):
    """Ask a database through a pool of connections."""
    import labdb

    pool = _pools.get(step["to"])
    if pool is None:
        host, port = plan["services"][step["to"]]
        pool = _pools[step["to"]] = labdb.Pool(host, port, size=step.get("pool", 1), wait_timeout=step.get("wait_s"))
    with pool.connection() as connection:
        connection.query(step.get("name", "SELECT"), step.get("ms", 0))


def dns(step, plan):
    """A name that the resolver does not answer, however often it is asked."""
    attempts = step.get("attempts", 1)
    for attempt in range(1, attempts + 1):
        time.sleep(step["ms"] / attempts / 1000.0)
        if attempt < attempts:
            log.warning(
                "lookup of %s failed (attempt %d of %d): [Errno -3] Temporary failure in name resolution",
                step["host"],
                attempt,
                attempts,
            )
    raise socket.gaierror(-3, "Temporary failure in name resolution")


def fail(step, plan):
    """An exception that nobody catches."""
    raise _ERRORS[step["type"]](step["text"])


def leave(step, plan):
    """The process ends in the middle of an invocation."""
    os._exit(step.get("status", 1))


def fill(step, plan):
    """Use memory: so much more, or until so much is in use."""
    _pools.pop("kept", None)
    more_mb = step["mb"] if "mb" in step else max(step["until_mb"] - used_mb(), 1)
    kept = bytearray(more_mb * 1024 * 1024)
    kept[::4096] = b"x" * len(kept[::4096])
    _pools["kept"] = kept


def used_mb():
    """Memory of this process, where the system tells it."""
    try:
        lines = pathlib.Path("/proc/self/status").read_text().splitlines()
        return next(int(line.split()[1]) // 1024 for line in lines if line.startswith("VmRSS"))
    except OSError:
        return 20


def linger(step, plan):
    """The result is ready, but something still runs that nobody ends."""
    thread = threading.Thread(target=time.sleep, args=(0,))
    thread.start()
    thread.join()
    time.sleep(100_000.0)


_STEPS = {
    "work": work,
    "progress": progress,
    "hang": hang,
    "call": call,
    "query": query,
    "dns": dns,
    "fail": fail,
    "leave": leave,
    "fill": fill,
    "linger": linger,
}
