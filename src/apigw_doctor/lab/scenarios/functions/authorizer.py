"""A Lambda authorizer: allows everybody, after as long as the schedule wants."""

# Plain code as in many functions; `lab` is there in the function's process only.
# mypy: ignore-errors

import logging
import time

import lab

log = logging.getLogger()
log.setLevel(logging.INFO)


def handler(event, context):
    """Allow the caller."""
    plan = lab.plan()
    log.info("checking token")
    time.sleep(plan.get("ms", 3.0) / 1000.0)
    if plan.get("fail"):
        raise RuntimeError(plan["fail"])
    arn = event.get("methodArn") or event.get("routeArn", "*")
    statement = {"Action": "execute-api:Invoke", "Effect": "Allow", "Resource": arn}
    return {"principalId": "user-17", "policyDocument": {"Version": "2012-10-17", "Statement": [statement]}}
