"""CloudFront standard and real-time log lines."""

from hypothesis import given
from hypothesis import strategies as st

from apigw_doctor.sources.cloudfront import STANDARD_FIELDS, CloudFrontLog

SPACED = (
    "2026-04-10 09:00:30 DUB56-P2 1033 203.0.113.9 GET d111111abcdef8.cloudfront.net /prod/r%C3%A9ports 504 - "
    "Mozilla/5.0%20(X11) - - Error 5923a2fd92afcdf3== www.shop.example https 211 30.003 - TLSv1.3 TLS_AES Error "
    "HTTP/2.0 - - 51322 30.003 OriginCommError text/html - - -"
)
LINE = SPACED.replace(" ", "\t")


def test_a_line_without_a_header_is_read_in_the_standard_order() -> None:
    row = CloudFrontLog().parse_line(LINE, "edge.txt:1")
    assert row is not None
    assert (row.ended_at, row.status, row.time_taken_ms) == (1775811630000.0, 504, 30003.0)
    assert (row.result_type, row.detailed_result) == ("Error", "OriginCommError")
    assert (row.host, row.path, row.edge_request_id) == ("www.shop.example", "/prod/réports", "5923a2fd92afcdf3==")


def test_tabs_lost_in_a_paste_do_not_matter() -> None:
    row = CloudFrontLog().parse_line(LINE.replace("\t", "  "), "edge.txt:1")
    assert row is not None
    assert row.status == 504


def test_a_header_names_the_columns_of_a_real_time_log() -> None:
    log = CloudFrontLog()
    assert log.header("#Version: 1.0")
    assert log.header("#Fields: timestamp c-ip sc-status cs-method cs-host cs-uri-stem x-edge-request-id time-taken")
    row = log.parse_line("1775811630.123\t203.0.113.9\t000\tGET\td1.cloudfront.net\t/a\tabc=\t5.001", "edge.txt:2")
    assert row is not None
    assert (row.ended_at, row.status, row.time_taken_ms, row.host) == (1775811630123.0, 0, 5001.0, "d1.cloudfront.net")


def test_lines_of_another_w3c_log_are_not_claimed() -> None:
    log = CloudFrontLog()
    assert not log.header("#Fields: date time s-ip cs-method cs-uri-stem sc-status time-taken")
    assert log.parse_line("2026-04-10 09:00:30 10.0.0.1 GET /a 200 15", "iis.log:5") is None


def test_a_standard_line_after_a_foreign_header_still_counts() -> None:
    log = CloudFrontLog()
    log.header("#Fields: date time x-edge-location")
    assert log.parse_line(LINE, "edge.txt:2") is not None


def test_the_standard_order_has_33_fields() -> None:
    assert len(STANDARD_FIELDS) == 33


@given(st.text(), st.text())
def test_nothing_raises(header: str, line: str) -> None:
    log = CloudFrontLog()
    log.header("#Fields:" + header)
    log.header(header)
    log.parse_line(line, "x:1")


@given(st.lists(st.sampled_from([*LINE.split("\t"), "", "%zz", "nan", "1e999"]), min_size=10, max_size=40))
def test_no_mixture_of_real_fields_raises(cells: list[str]) -> None:
    CloudFrontLog().parse_line("\t".join(["2026-04-10", "09:00:30", "DUB56-P2", *cells]), "x:1")
