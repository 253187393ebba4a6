"""Application Load Balancer access log lines."""

from hypothesis import given
from hypothesis import strategies as st

from apigw_doctor.sources.load_balancer import parse_line

CUT_BY_GATEWAY = (
    "https 2026-03-10T10:00:29.134000Z app/orders-internal/50dc6c495c0c9188 10.0.3.17:41234 10.0.5.20:8080"
    ' 0.001 -1 -1 460 - 812 0 "GET https://internal-orders.eu-west-1.elb.amazonaws.com:443/stock/42?token=abc HTTP/2.0"'
    ' "Amazon\\"API\\"Gateway_k9x2m7p4q1" ECDHE TLSv1.2 arn:aws:elasticloadbalancing:eu-west-1:123456789012:targetgroup/o/73'
    ' "Root=1-69AFEBA0-88aa88bb99cc00dd11ee22ff" "-" "-" 0 2026-03-10T10:00:00.130000Z "forward" "-" "-"'
    ' "10.0.5.20:8080" "-" "-" "-" TID_1 "new" "fields"'
)
NEVER_CONNECTED = (
    "h2 2026-04-02T09:00:10.118312Z app/o/50dc 10.0.0.27:41822 - -1 -1 -1 503 - 412 272"
    ' "- http://orders.internal.example:80- -" "-" - - - "-" "-" "-" - 2026-04-02T09:00:00.114Z "fixed" "-" "TargetFailure"'
)


def test_new_fields_at_the_end_and_escaped_quotes_do_not_shift_the_others() -> None:
    row = parse_line(CUT_BY_GATEWAY, "alb.log:1")
    assert row is not None
    assert (row.status, row.target_status, row.request_ms, row.target_ms, row.response_ms) == (
        460,
        None,
        1.0,
        None,
        None,
    )
    assert row.trace_id == "1-69afeba0-88aa88bb99cc00dd11ee22ff"
    assert (row.ended_at, row.created_at) == (1773136829134.0, 1773136800130.0)
    assert row.error_reason is None


def test_the_query_is_left_out_of_the_path() -> None:
    row = parse_line(CUT_BY_GATEWAY, "alb.log:1")
    assert row is not None
    assert (row.method, row.host, row.path) == ("GET", "internal-orders.eu-west-1.elb.amazonaws.com", "/stock/42")


def test_a_request_without_a_target_keeps_its_reason() -> None:
    row = parse_line(NEVER_CONNECTED, "alb.log:1")
    assert row is not None
    assert (row.target, row.method, row.request_ms, row.error_reason) == (None, None, None, "TargetFailure")


def test_a_line_of_2016_ends_with_the_trace_or_before() -> None:
    words = CUT_BY_GATEWAY.split(' "Amazon')[0]
    row = parse_line(words, "alb.log:1")
    assert row is not None
    assert (row.status, row.trace_id, row.created_at) == (460, None, None)


def test_a_line_cut_before_the_request_is_none_of_this_log() -> None:
    assert parse_line(CUT_BY_GATEWAY[:120], "alb.log:1") is None


def test_prose_that_begins_like_a_line_is_none() -> None:
    assert parse_line("http is a protocol and a/b says that 1 2 3 4 5 6 7 8 9 10 11", "x:1") is None
    assert parse_line("$ http GET https://example.com/a", "x:1") is None


@given(st.text())
def test_no_line_raises(words: str) -> None:
    parse_line(words, "x:1")


@given(
    st.lists(st.sampled_from(NEVER_CONNECTED.split() + CUT_BY_GATEWAY.split() + ["", '"', "nan", "1e999", "9" * 400]))
)
def test_no_mixture_of_real_fields_raises(fields: list[str]) -> None:
    parse_line("http 2026-04-02T09:00:10.118312Z app/o/50dc " + " ".join(fields), "x:1")
