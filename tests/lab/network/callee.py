"""A function that reaches for what the test tells it to, and says how that went and how long it took."""

import json
import socket
import time
from typing import Any


def handler(event: dict[str, Any], _: object) -> dict[str, Any]:
    began = time.monotonic()
    try:
        said = globals()[event["do"]](**event["with"])
    except Exception as error:  # noqa: BLE001 - whatever it is, the test wants to know
        said = f"{type(error).__name__}: {error}"
    return {"said": said, "ms": (time.monotonic() - began) * 1000.0}


def line(port: int, timeout: float) -> str:
    with socket.create_connection(("127.0.0.1", port), timeout) as one:
        one.sendall(b"hello\n")
        return one.recv(100).decode().strip()


def query(port: int, size: int, wait: float, leak: int) -> int:
    import labdb  # type: ignore[import-not-found]

    pool = labdb.Pool("127.0.0.1", port, size=size, wait_timeout=wait)
    kept = [pool.acquire() for _ in range(leak)]
    took: float = pool.query("orders", 2_000)
    for one in kept:
        pool.release(one)
    pool.close()
    return round(took / 1000.0)


def item(port: int, attempts: int) -> str:
    import boto3
    from botocore.config import Config

    client = boto3.client(
        "dynamodb",
        endpoint_url=f"http://127.0.0.1:{port}",
        region_name="eu-west-1",
        aws_access_key_id="x",
        aws_secret_access_key="x",
        config=Config(retries={"mode": "standard", "total_max_attempts": attempts}),
    )
    return json.dumps(client.get_item(TableName="orders", Key={"id": {"S": "42"}})["Item"])
