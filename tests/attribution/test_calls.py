"""How client libraries of four languages log the start and the end of a call, and what is neither."""

import time

import pytest

from apigw_doctor.attribution import calls

STARTS = {
    "botocore": "Making request for OperationModel(name=GetItem) with params: {'url_path': '/', 'method': 'POST'}",
    "botocore http": "Sending http request: <AWSPreparedRequest stream_output=False, method=POST, url=https://x/>",
    "urllib3 new": "Starting new HTTPS connection (1): dynamodb.eu-west-1.amazonaws.com:443",
    "urllib3 retry": "Retrying (Retry(total=2, read=None)) after connection broken by 'ReadTimeoutError()': /v1/orders",
    "urllib3 reset": "Resetting dropped connection: api.partner.example",
    "httpcore connect": "connect_tcp.started host='api.partner.example' port=443 timeout=5.0",
    "httpcore wait": "receive_response_headers.started request=<Request [b'GET']>",
    "sqlalchemy": "SELECT orders.id AS orders_id, orders.total \nFROM orders \nWHERE orders.id = %(id_1)s",
    "sqlalchemy parameters": "[cached since 12.31s ago] {'id_1': 5}",
    "sqlalchemy first parameters": "[generated in 0.00021s] (5, 1)",
    "sqlalchemy insert": "INSERT INTO orders (id) VALUES (%s)",
    "pymongo": '{"message": "Command started", "commandName": "find", "serverHost": "mongo-0", "driverConnectionId": 1}',
    "pymongo pool": '{"message": "Connection checkout started", "serverHost": "10.0.0.5", "serverPort": 27017}',
    "axios logger": "[Axios][Request] POST https://api.partner.example/v1/charge",
    "sequelize": "Executing (default): UPDATE orders SET total = 3 WHERE id = 4;",
    "knex": 'knex:query select "id", "total" from "orders" where "id" = ? undefined +5ms',
    "typeorm": 'query: SELECT "o"."id" AS "o_id" FROM "orders" "o" -- PARAMETERS: [4]',
    "mongoose": "Mongoose: orders.findOne({ _id: ObjectId('65a1') }, {})",
    "ioredis": "ioredis:redis write command[cache:6379]: 0 -> get([ 'basket' ])",
    "ioredis connect": "ioredis:redis status[cache:6379]: wait -> connecting",
    "apache open": "Opening connection {s}->https://sqs.eu-west-1.amazonaws.com:443",
    "apache lease": "Connection request: [route: {s}->https://x.example:443][total available: 0; route allocated: 0 of 50]",
    "apache connect": "Connecting to api.partner.example/192.0.2.7:443",
    "apache execute": "Executing request POST /v1/charge HTTP/1.1",
    "apache wire": "http-outgoing-0 >> POST /v1/charge HTTP/1.1",
    "aws java v2": "Sending Request: DefaultSdkHttpFullRequest(httpMethod=POST, protocol=https, host=dynamodb.x)",
    "aws java v2 retry": "Retryable error detected. Will retry in 51ms. Request attempt number 1",
    "hikari": "HikariPool-1 - Starting...",
    "hibernate": "Hibernate: select o1_0.id,o1_0.total from orders o1_0 where o1_0.id=?",
    "okhttp": "--> POST https://api.partner.example/v1/charge http/1.1",
    "okhttp end of request": "--> END POST (120-byte body)",
    "feign": "[PaymentClient#charge] ---> POST https://api.partner.example/v1/charge HTTP/1.1",
    "spring": "[6f2a1c] HTTP GET https://api.partner.example/v1/orders/4",
    "dotnet": "Start processing HTTP request GET https://api.partner.example/v1/orders/4",
    "dotnet send": "Sending HTTP request GET https://api.partner.example/v1/orders/4",
    "ef core": "Executing DbCommand [Parameters=[@id='?'], CommandType='Text', CommandTimeout='30']",
    "aws go v1": "DEBUG: Request dynamodb/GetItem Details:\n---[ REQUEST POST-SIGN ]---\nPOST / HTTP/1.1",
    "aws go v2": "DEBUG Request\nPOST / HTTP/1.1\nHost: dynamodb.eu-west-1.amazonaws.com",
    "by hand": "awaiting response from https://api.partner.example/v1/orders/4",
    "by hand arrow": "calling payments -> https://payments.internal",
    "by hand retry": "call to payments failed, retrying",
}
ENDS = {
    "urllib3": 'https://dynamodb.eu-west-1.amazonaws.com:443 "POST / HTTP/1.1" 200 22',
    "urllib3 404": 'https://api.partner.example:443 "GET /v1/orders/4 HTTP/1.1" 404 None',
    "httpx": 'HTTP Request: GET https://api.partner.example/v1/orders "HTTP/1.1 404 Not Found"',
    "httpcore": "receive_response_headers.complete return_value=(b'HTTP/1.1', 200, b'OK', [])",
    "botocore": "Response headers: {'Server': 'Server', 'x-amzn-RequestId': 'ABC'} from dynamodb",
    "pymongo": '{"message": "Command succeeded", "durationMS": 1.2, "commandName": "find", "serverHost": "mongo-0"}',
    "aws js v2": "[AWS dynamodb 200 0.052s 0 retries] getItem({ TableName: 'orders' })",
    "aws js v2 no answer": "[AWS s3 undefined 120.05s 3 retries] putObject({ Bucket: 'b' })",
    "aws js v3": "{ clientName: 'DynamoDBClient', commandName: 'GetItemCommand', metadata: { httpStatusCode: 200 } }",
    "axios logger": "[Axios][Response] POST https://api.partner.example/v1/charge 404:Not Found",
    "sequelize": "Executed (default): SELECT id FROM orders;",
    "prisma": "prisma:query SELECT id FROM orders",
    "ioredis": "ioredis:redis status[cache:6379]: connect -> ready",
    "apache wire": "http-outgoing-0 << HTTP/1.1 200 OK",
    "apache lease": "Connection leased: [id: 0][route: {s}->https://x.example:443]",
    "apache connected": "Connection established 10.0.0.1:40112<->192.0.2.7:443 to upstream",
    "aws java v2": "Received successful response: 200, Request ID: ABC from dynamodb",
    "hikari": "HikariPool-1 - Start completed.",
    "okhttp": "<-- 200 https://api.partner.example/v1/charge (2512ms)",
    "okhttp error": "<-- HTTP FAILED: java.net.SocketTimeoutException: timeout",
    "feign": "[PaymentClient#charge] <--- HTTP/1.1 503 Service Unavailable (1250ms)",
    "dotnet": "Received HTTP response headers after 52.1ms - 503",
    "dotnet end": "End processing HTTP request after 52.9ms - 200",
    "ef core": "Executed DbCommand (5ms) [Parameters=[@id='?'], CommandType='Text', CommandTimeout='30']",
    "aws go v1": "DEBUG: Response dynamodb/GetItem Details:\n---[ RESPONSE ]---\nHTTP/1.1 200 OK",
    "by hand": "call to payments failed: connection refused",
    "by hand arrow": "dynamodb GetItem->200",
    "by hand timed out": "call to payments timed out",
    "by hand rows": "orders query -> 12 rows",
}
NEITHER = {
    "botocore hook": "Event needs-retry.dynamodb.GetItem: calling handler <botocore.retryhandler.RetryHandler object>",
    "botocore setting": "Setting dynamodb timeout as (60, 60)",
    "an event": '{"resource": "/orders", "httpMethod": "GET", "headers": {"Host": "a1.execute-api.x.amazonaws.com"}}',
    "an http event": "event {'routeKey': 'GET /orders', 'headers': {'host': 'a1.execute-api.x.amazonaws.com'}}",
    "an environment": "environ({'AWS_LAMBDA_FUNCTION_NAME': 'orders', 'DB': 'https://db.example'})",
    "asp.net": "Request starting HTTP/1.1 GET https://a1.execute-api.x.amazonaws.com/orders - -",
    "an access line": "INFO: GET /orders/4",
    "own work": "rendering page 4 of 9",
    "prose": "please select the right answer",
}
PREFIX = "[DEBUG]\t2024-03-04T17:22:38.050Z\t1d165b16-89c2-4a2f-9c2c-0d3f6c7a8b11\t"


@pytest.mark.parametrize("text", STARTS.values(), ids=STARTS)
def test_a_line_that_starts_a_call_names_it(text: str) -> None:
    """With the runtime's prefix as well."""
    assert calls.names_call(text)
    assert calls.names_call(PREFIX + text)


@pytest.mark.parametrize("text", ENDS.values(), ids=ENDS)
def test_a_line_that_ends_a_call_starts_none(text: str) -> None:
    """Whatever the call came to."""
    assert calls.reports_return(text)
    assert not calls.names_call(text)


@pytest.mark.parametrize("text", NEITHER.values(), ids=NEITHER)
def test_other_lines_name_no_call(text: str) -> None:
    """Hooks, events, environments and own work."""
    assert not calls.names_call(text)


@pytest.mark.parametrize(
    "piece", ["a", " ", "-", "-> ", "1", "SELECT ", "select a.", "response ", "sending ", "a:", '"']
)
def test_long_lines_cost_little(piece: str) -> None:
    """No pattern is worse than linear, or nearly so, in the length that is looked at."""
    began = time.perf_counter()
    for _ in range(20):
        calls.names_call(piece * 4000)
        calls.shape(piece * 4000)
    assert time.perf_counter() - began < 1.0
