"""Client transcripts, bodies and `curl -w` timings."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from apigw_doctor.evidence.tables import ClientReply, TargetTiming
from apigw_doctor.sources.client import CURL_WRITE_OUT, Transcript, parse_body


def read(words: str) -> tuple[list[ClientReply | TargetTiming], list[str]]:
    """The rows of a transcript, and the lines it did not claim."""
    transcript = Transcript()
    lines = words.strip("\n").split("\n")
    foreign = [line for number, line in enumerate(lines, start=1) if not transcript.feed(line, f"c:{number}")]
    return transcript.finish(), [line for line in foreign if line.strip()]


def replies(words: str) -> list[ClientReply]:
    rows, foreign = read(words)
    assert foreign == []
    return [row for row in rows if isinstance(row, ClientReply)]


def test_curl_v_of_an_http_api_has_only_its_own_id() -> None:
    (row,) = replies(
        """
*   Trying 198.51.100.7:443...
* Connected to h4x2m7p4q1.execute-api.eu-west-1.amazonaws.com (198.51.100.7) port 443
> GET /reports?token=secret HTTP/2
> Host: h4x2m7p4q1.execute-api.eu-west-1.amazonaws.com
> authorization: Bearer secret
>
{ [33 bytes data]
< HTTP/2 503
< date: Tue, 10 Mar 2026 10:00:30 GMT
< apigw-requestid: RL2XYiwjPHcEMEQ=
<
* Connection #0 to host h4x2m7p4q1.execute-api.eu-west-1.amazonaws.com left intact
{"message":"Service Unavailable"}

real	0m30.052s
user	0m0.031s
sys	0m0.012s
"""
    )
    assert (row.status, row.http_api_id, row.request_id) == (503, "RL2XYiwjPHcEMEQ=", None)
    assert (row.message, row.elapsed_ms, row.at) == ("Service Unavailable", 30052.0, 1773136830000.0)
    assert (row.method, row.path, row.host) == ("GET", "/reports", "h4x2m7p4q1.execute-api.eu-west-1.amazonaws.com")
    assert not row.via_edge
    assert "secret" not in json.dumps([place.text for place in row.cites])


def test_curl_28_gave_up_and_keeps_the_id_that_the_caller_chose() -> None:
    (row,) = replies(
        """
> GET /prod/invoices HTTP/2
> Host: a1b2c3d4e5.execute-api.eu-west-1.amazonaws.com
> x-amzn-requestid: 02f62429-1012-48d6-acf1-04071877ffa4
>
* Operation timed out after 10001 milliseconds with 0 bytes received
* Connection #0 to host a1b2c3d4e5.execute-api.eu-west-1.amazonaws.com left intact
curl: (28) Operation timed out after 10001 milliseconds with 0 bytes received
real	0m10.014s
"""
    )
    assert (row.gave_up, row.elapsed_ms, row.status) == (True, 10001.0, None)
    assert row.request_id == "02f62429-1012-48d6-acf1-04071877ffa4"


def test_three_silent_calls_that_timed_out_are_three_exchanges() -> None:
    rows = replies("\n".join(["curl: (28) Operation timed out after 5001 milliseconds with 0 bytes received"] * 3))
    assert [row.elapsed_ms for row in rows] == [5001.0] * 3


def test_another_curl_error_is_no_timer() -> None:
    (row,) = replies("curl: (7) Failed to connect to api.example port 443 after 12 ms: Couldn't connect to server")
    assert (row.gave_up, row.status, row.elapsed_ms) == (False, None, None)
    assert row.message is not None


def test_several_exchanges_in_one_transcript_stay_apart() -> None:
    rows = replies(
        """
$ curl -sv https://a1b2c3d4e5.execute-api.eu-west-1.amazonaws.com/prod/a?x=1
< HTTP/1.1 100 Continue
<
< HTTP/1.1 504 Gateway Timeout
< x-amz-apigw-id: K2G9wEbUoAMEvag=
<
{"message": "Endpoint request timed out"}
real 29.23
$ curl -sv https://a1b2c3d4e5.execute-api.eu-west-1.amazonaws.com/prod/b
< HTTP/1.1 200 OK
< content-length: 2
<
ok
"""
    )
    assert [(row.status, row.path, row.elapsed_ms, row.message) for row in rows] == [
        (504, "/prod/a", 29230.0, "Endpoint request timed out"),
        (200, "/prod/b", None, "ok"),
    ]


def test_httpie_prints_request_and_reply_without_marks() -> None:
    (row,) = replies(
        """
POST /prod/orders HTTP/1.1
Host: k9x2m7p4q1.execute-api.eu-west-1.amazonaws.com
User-Agent: HTTPie/3.2.2

HTTP/1.1 504 Gateway Timeout
Connection: keep-alive
Via: 1.1 12aa3f.cloudfront.net (CloudFront)
x-amzn-ErrorType: InternalServerErrorException:http://internal.amazon.com/
x-amzn-RequestId: fbcaf9e5-d535-40a1-891c-7b70118cf7e8

{
    "message": "Endpoint request timed out"
}
"""
    )
    assert (row.status, row.method, row.path, row.via_edge) == (504, "POST", "/prod/orders", True)
    assert (row.error_type, row.message) == ("InternalServerErrorException", "Endpoint request timed out")


def test_a_reader_that_leaves_out_empty_lines_changes_nothing() -> None:
    (row,) = replies('HTTP/2 504\nx-amz-apigw-id: K2G9wEbUoAMEvag=\n{\n  "message": "Endpoint request timed out"\n}')
    assert (row.status, row.message) == (504, "Endpoint request timed out")


def test_wget_says_its_status_in_words() -> None:
    (row,) = replies(
        """
--2026-03-10 10:00:00--  https://k9x2m7p4q1.execute-api.eu-west-1.amazonaws.com/prod/orders
Resolving k9x2m7p4q1.execute-api.eu-west-1.amazonaws.com... 198.51.100.7
Connecting to k9x2m7p4q1.execute-api.eu-west-1.amazonaws.com|198.51.100.7|:443... connected.
HTTP request sent, awaiting response... 504 Gateway Timeout
2026-03-10 10:00:29 ERROR 504: Gateway Timeout.
"""
    )
    assert (row.status, row.path) == (504, "/prod/orders")


def test_a_page_of_the_edge_gives_its_heading() -> None:
    (row,) = replies(
        """
HTTP/1.1 504 Gateway Timeout
Content-Type: text/html
X-Cache: Error from cloudfront

<!DOCTYPE HTML PUBLIC "-//W3C//DTD HTML 4.01 Transitional//EN">
<HTML><HEAD>
<TITLE>ERROR: The request could not be satisfied</TITLE>
</HEAD><BODY>
<H1>504 Gateway Timeout ERROR</H1>
</BODY></HTML>
"""
    )
    assert (row.status, row.via_edge, row.message) == (504, True, "504 Gateway Timeout ERROR")


@pytest.mark.parametrize(
    ("words", "elapsed_ms"),
    [
        (
            "requests.exceptions.ReadTimeout: HTTPSConnectionPool(host='k9x2m7p4q1.execute-api.eu-west-1.amazonaws.com',"
            " port=443): Read timed out. (read timeout=5)",
            5000.0,
        ),
        (
            "AxiosError: timeout of 5000ms exceeded\n"
            "  url: 'https://k9x2m7p4q1.execute-api.eu-west-1.amazonaws.com/prod/orders',",
            5000.0,
        ),
        (
            'Get "https://k9x2m7p4q1.execute-api.eu-west-1.amazonaws.com/prod": context deadline exceeded'
            " (Client.Timeout exceeded while awaiting headers)",
            None,
        ),
        ("http: error: Request timed out (30.0s).", 30000.0),
    ],
)
def test_a_program_that_called_a_gateway_gave_up(words: str, elapsed_ms: float | None) -> None:
    rows, _ = read(words)
    (row,) = rows
    assert isinstance(row, ClientReply)
    assert (row.gave_up, row.elapsed_ms) == (True, elapsed_ms)


@pytest.mark.parametrize(
    "line",
    [
        "AxiosError: timeout of 5000ms exceeded",
        "requests.exceptions.ReadTimeout: HTTPSConnectionPool(host='pricing.internal', port=443): Read timed out.",
        "2026-03-10T10:00:00.120Z ERROR AxiosError: timeout of 5000ms exceeded, code ECONNABORTED",
        '{"level":"ERROR","message":"timeout of 5000ms exceeded"}',
        "* a bullet of a list",
        "> a quotation",
        "< less than",
        "<html>",
        "real	0m29.230s",
        "Host: example.com",
        "http 2022-04-15T16:52:50.757968Z app/my-loadbalancer/50dc6c495c0c9188 192.168.131.39:2817 https://example.com",
        "(10f3b7e2-6d14-4c8a-9b51-2f7a90c4e101) Method completed with status: 504",
    ],
)
def test_lines_of_logs_and_prose_are_not_claimed(line: str) -> None:
    assert read(line) == ([], [line])


def test_lines_between_are_left_to_others() -> None:
    rows, foreign = read(
        """
< HTTP/2 504
< x-amz-apigw-id: K2G9wEbUoAMEvag=
<
{"requestId":"10f3b7e2-6d14-4c8a-9b51-2f7a90c4e101","requestTimeEpoch":"1773136800120","status":"504"}
START RequestId: ae5d2c90-71ab-4f36-8a2d-b04c93f1a177 Version: 7
"""
    )
    assert len(rows) == 1
    assert len(foreign) == 2


def test_what_a_terminal_prints_behind_a_body_is_read_too() -> None:
    (row,) = replies(
        """
< HTTP/2 504
< apigw-requestid: RL2XYiwjPHcEMEQ=
<
{"message": "Endpoint request timed out"}dns=0.004 connect=0.012 tls=0.040 first_byte=29.1 total=29.2 status=504
"""
    )
    assert (row.message, row.elapsed_ms) == ("Endpoint request timed out", 29200.0)


def test_wscat_shows_frames() -> None:
    rows = replies(
        """
Connected (press CTRL+C to quit)
> {"action":"report"}
< {"message": "Endpoint request timed out", "connectionId":"Qm3aceE2NjMCF7w=", "requestId":"Qm3b7PFSNjMFZeA="}
< {"action": "pong"}
Disconnected (code: 1001, reason: "Going away")
error: Unexpected server response: 502
"""
    )
    assert [(row.frame, row.status, row.request_id) for row in rows] == [
        (True, None, "Qm3b7PFSNjMFZeA="),
        (False, 502, None),
    ]


def test_timings_under_a_reply_of_the_gateway_are_its_elapsed_time() -> None:
    (row,) = replies(
        """
HTTP/2 504 
x-amz-apigw-id: K7pQaGxvDoEJ9A=

{"message": "Endpoint request timed out"}
    time_namelookup:  0.004112s
       time_connect:  0.031870s
 time_starttransfer:  29.213964s
                    ----------
         time_total:  29.214101s
"""
    )
    assert row.elapsed_ms == pytest.approx(29214.101)


def test_timings_alone_are_those_of_a_target() -> None:
    rows, foreign = read(
        "dns=0.004 connect=0.012 tls=0.000000 first_byte=29.1 total=29.2 status=504 host=https://api.example:8443/x\n"
        "time_namelookup: 0,004 time_connect: 0,012 time_total: 2,5 http_code: 200\n"
    )
    assert foreign == []
    first, second = rows
    assert isinstance(first, TargetTiming)
    assert isinstance(second, TargetTiming)
    assert (first.host, first.connect_ms, first.tls_ms, first.total_ms, first.status) == (
        "api.example",
        12.0,
        None,
        29200.0,
        504,
    )
    assert (second.dns_ms, second.total_ms, second.status) == (4.0, 2500.0, 200)


def test_what_our_own_format_prints_is_read() -> None:
    printed = CURL_WRITE_OUT.replace(r"\n", "\n")
    for name in ("time_namelookup", "time_connect", "time_appconnect", "time_starttransfer", "time_total"):
        printed = printed.replace(f"%{{{name}}}", "0.250000")
    printed = printed.replace("%{http_code}", "200").replace("%{url_effective}", "https://backend.example/health")
    rows, foreign = read(printed)
    assert foreign == []
    (row,) = rows
    assert isinstance(row, TargetTiming)
    assert (row.host, row.total_ms, row.status) == ("backend.example", 250.0, 200)


@pytest.mark.parametrize(
    ("value", "claimed"),
    [
        ({"message": "Endpoint request timed out"}, True),
        ({"message": "Internal Server Error"}, True),
        ({"message": "Network error communicating with endpoint"}, True),
        ({"message": None}, True),
        ({"message": "anything", "connectionId": "Qm3aceE2NjMCF7w=", "requestId": "Qm3b7PFSNjMFZeA="}, True),
        ({"message": None, "requestId": "x"}, False),
        ({"message": "Endpoint request timed out", "level": "ERROR"}, False),
        ({"message": "loading configuration"}, False),
        ({"message": "loading", "requestId": "Qm3b7PFSNjMFZeA="}, False),
        ({"message": {"text": "Service Unavailable"}}, False),
        ({"requestId": "Qm3b7PFSNjMFZeA="}, False),
        ("Service Unavailable", False),
        ([], False),
    ],
)
def test_only_the_gateways_own_bodies_are_claimed(value: object, claimed: bool) -> None:
    assert (parse_body(value, "x:1") is not None) is claimed


LINES = st.sampled_from(
    [
        "> GET /a HTTP/2", "> Host: x", ">", "< HTTP/2 504", "< date: Tue, 20 May 2025 02:40:39 GMT", "<", "< x: y", "{", "}",
        '{"message": "x"}', '{"a": [', "", "* Connected to x (1.2.3.4) port 443", "* y", "real\t0m29.230s", "user 0.1", "HTTP/1.1 200",
        "curl: (28) Operation timed out after 1 milliseconds", "$ curl https://x/y", "time_total: 1.5", "----------", "x: y",
        "AxiosError: timeout of 1ms exceeded", "url: 'https://a1.execute-api.eu-west-1.amazonaws.com'", "<html>", "</html>",
        "Connected (press CTRL+C to quit)", "Disconnected (code: 1, x", "error: Unexpected server response: 502", "plain words",
        "--2026-03-10 10:00:00--  https://x/y", "HTTP request sent, awaiting response... 504 x", "GET /x HTTP/1.1",
        "< content-length: 99999999999999999999999999999999", "dns=1 connect=2 total=3 host=", "[" * 3000,
    ]
)  # fmt: skip


@given(st.lists(st.one_of(LINES, st.text(max_size=40)), max_size=30))
def test_no_order_of_lines_raises(words: list[str]) -> None:
    transcript = Transcript()
    for number, line in enumerate(words):
        transcript.feed(line, f"x:{number}")
    transcript.finish()
    assert transcript.finish() == []


@given(
    st.recursive(
        st.one_of(st.none(), st.integers(), st.text(max_size=5)),
        lambda inner: st.one_of(
            st.lists(inner, max_size=3),
            st.dictionaries(st.sampled_from(["message", "connectionId", "requestId", "x"]), inner),
        ),
        max_leaves=8,
    )
)
def test_no_json_value_raises(value: object) -> None:
    parse_body(value, "x:1")
