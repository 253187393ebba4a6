import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError, ReadTimeoutError
from tests.lab.network.lab import about, play

from apigw_doctor.lab.clock import Clock
from apigw_doctor.lab.network.aws import AwsBehaviour, AwsEndpoint

KEY = {"id": {"S": "42"}}


@asynccontextmanager
async def endpoint(clock: Clock) -> AsyncIterator[AwsEndpoint]:
    """The SDK blocks in a thread, in real time, so the clock has to keep to that."""
    async with AwsEndpoint(clock) as server:
        clock.hold()
        try:
            yield server
        finally:
            clock.release()


async def call(server: AwsEndpoint, service: str, use: Callable[[Any], Any], **config: Any) -> Any:
    def work() -> Any:
        client = boto3.client(
            service,
            endpoint_url=server.url,
            region_name="eu-west-1",
            aws_access_key_id="x",
            aws_secret_access_key="x",
            config=Config(**config),
        )
        try:
            return use(client)
        finally:
            client.close()

    return await asyncio.to_thread(work)


def test_a_real_sdk_gets_its_answers() -> None:
    async def scene(clock: Clock) -> None:
        async with endpoint(clock) as server:
            item = await call(server, "dynamodb", lambda db: db.get_item(TableName="orders", Key=KEY)["Item"])
            assert item["id"] == {"S": "42"}
            message = {"QueueUrl": f"{server.url}/123456789012/jobs", "MessageBody": "go"}
            sent = await call(server, "sqs", lambda sqs: sqs.send_message(**message))
            assert sent["MD5OfMessageBody"] == "34d1f91fb2e514b8576fab1a75a89a6b"
            body = await call(server, "s3", lambda s3: s3.get_object(Bucket="reports", Key="a/b.json")["Body"].read())
            assert body == b'{"ok": true}'
            secret = await call(server, "secretsmanager", lambda sm: sm.get_secret_value(SecretId="orders-db"))
            assert "password" in secret["SecretString"]
            assert [(one.operation, one.attempt, one.status) for one in server.calls] == [
                ("DynamoDB.GetItem", 1, 200),
                ("SQS.SendMessage", 1, 200),
                ("S3.GetObject", 1, 200),
                ("secretsmanager.GetSecretValue", 1, 200),
            ]

    play(scene)


@pytest.mark.parametrize(
    ("service", "operation", "code", "use"),
    [
        (
            "dynamodb",
            "DynamoDB.GetItem",
            "ProvisionedThroughputExceededException",
            lambda db: db.get_item(TableName="orders", Key=KEY),
        ),
        ("sqs", "SQS.SendMessage", "RequestThrottled", lambda sqs: sqs.send_message(QueueUrl="q", MessageBody="go")),
        ("s3", "S3.GetObject", "SlowDown", lambda s3: s3.get_object(Bucket="reports", Key="a")),
    ],
    ids=("dynamodb", "sqs", "s3"),
)
def test_a_throttled_sdk_tries_again_and_gives_up(service: str, operation: str, code: str, use: Any) -> None:
    async def scene(clock: Clock) -> None:
        async with endpoint(clock) as server:
            server.behaviour = AwsBehaviour(does="throttle")
            retries = {"mode": "standard", "total_max_attempts": 2}
            with pytest.raises(ClientError) as raised:
                await call(server, service, use, retries=retries)
            assert raised.value.response["Error"]["Code"].endswith(code)
            assert [(one.operation, one.attempt) for one in server.calls] == [(operation, 1), (operation, 2)]

    play(scene)


def test_a_stalled_call_ends_at_the_sdks_own_timeout_each_time() -> None:
    async def scene(clock: Clock) -> None:
        async with endpoint(clock) as server:
            server.behaviours["DynamoDB.GetItem"] = AwsBehaviour(does="stall")
            retries = {"mode": "standard", "total_max_attempts": 2}
            with pytest.raises(ReadTimeoutError):
                await call(
                    server,
                    "dynamodb",
                    lambda db: db.get_item(TableName="orders", Key=KEY),
                    read_timeout=0.2,
                    retries=retries,
                )
            # The server sees the second client leave a moment after it has left.
            await asyncio.sleep(0.05)
            assert [one.status for one in server.calls] == [None, None]
            assert [one.ended_at - one.started_at for one in server.calls] == [about(200), about(200)]

    play(scene)


def test_a_failing_and_a_closing_service_are_tried_again() -> None:
    async def scene(clock: Clock) -> None:
        async with endpoint(clock) as server:
            for does in ("fail", "close"):
                server.calls.clear()
                server.behaviour = AwsBehaviour(does=does)

                async def heal() -> None:
                    while not server.calls:
                        await asyncio.sleep(0.005)
                    server.behaviour = AwsBehaviour(latency_ms=50.0)

                healing = asyncio.create_task(heal())
                await call(server, "dynamodb", lambda db: db.get_item(TableName="orders", Key=KEY))
                await healing
                assert server.calls[0].status == (500 if does == "fail" else None)
                assert server.calls[-1].status == 200
                assert server.calls[-1].ended_at - server.calls[-1].started_at == about(50)

    play(scene)
