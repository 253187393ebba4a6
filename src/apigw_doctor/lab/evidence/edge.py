"""CloudFront standard log (legacy): two header lines, then tab-separated, URL-encoded fields, one line a request."""

from urllib.parse import quote

from apigw_doctor.lab.evidence.forms import moment
from apigw_doctor.lab.records import EdgeEntry

FIELDS = (
    "date time x-edge-location sc-bytes c-ip cs-method cs(Host) cs-uri-stem sc-status cs(Referer) cs(User-Agent)"
    " cs-uri-query cs(Cookie) x-edge-result-type x-edge-request-id x-host-header cs-protocol cs-bytes time-taken"
    " x-forwarded-for ssl-protocol ssl-cipher x-edge-response-result-type cs-protocol-version fle-status"
    " fle-encrypted-fields c-port time-to-first-byte x-edge-detailed-result-type sc-content-type sc-content-len"
    " sc-range-start sc-range-end"
)
HEADER = ("#Version: 1.0", f"#Fields: {FIELDS}")
DISTRIBUTION, _DOMAIN, _LOCATION = "E2EXAMPLE1LAB5", "d111111abcdef8.cloudfront.net", "DUB56-P1"


def edge_line(entry: EdgeEntry) -> str:
    """The line of one request; its time is that of the end."""
    ended = moment(entry.ended_at)
    taken = f"{(entry.ended_at - entry.arrived_at) / 1000.0:.3f}"
    left = entry.status == 0  # the viewer left before there was a status
    fields = (
        f"{ended:%Y-%m-%d}",
        f"{ended:%H:%M:%S}",
        _LOCATION,
        "0" if left else "612",
        entry.client_ip,
        entry.method,
        _DOMAIN,
        quote(entry.path.partition("?")[0], safe="/-_.~%"),
        f"{entry.status:03d}",
        "-",
        quote(entry.user_agent, safe="/()-_.~:,;*"),
        entry.path.partition("?")[2] or "-",
        "-",
        entry.result_type,
        entry.edge_request_id,
        entry.host,
        "https",
        "182",
        taken,
        "-",
        "TLSv1.3",
        "TLS_AES_128_GCM_SHA256",
        entry.result_type,
        "HTTP/2.0",
        "-",
        "-",
        "51234",
        taken,
        entry.detailed_result_type,
        "-" if left else "application/json",
        "-" if left else "512",
        "-",
        "-",
    )
    return "\t".join(fields)
