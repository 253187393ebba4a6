"""Secrets go, in every shape in which logs print them; what the diagnosis stands on stays.

All secrets are invented. Those with a form that scanners look for are put together here from
parts, so that no file holds one.
"""

import json
import re
from collections.abc import Callable

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from apigw_doctor.evidence.redact import _SECRET_NAME_NEEDLES, _SHAPES, Anonymizer, clean_terminal, redact

NEEDLES = [*_SECRET_NAME_NEEDLES, *(needle for shape in _SHAPES for needle in shape.needles)]

JWT = ".".join(("eyJ" + "hbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9", "eyJ" + "zdWIiOiIxMjM0NTY3ODkwIn0", "Qm9ndXNTaWduYXR1cmU"))
ACCESS_KEY = "AKI" + "A" + "Q3EGRIFFINEXAMPL"
SESSION_KEY = "ASI" + "A" + "Q3EGRIFFINEXAMPL"
SESSION_TOKEN = "IQoJb3Jp" + "Z2luX2VjEXAMPLE//////////wEaCWV1LXdlc3QtMSJ"
PEM = "\n".join(
    (
        "-----BEGIN RSA PRIVATE " + "KEY-----",
        "MIIEowIBAAKCAQEA7bq",
        "x/y+z=",
        "-----END RSA PRIVATE " + "KEY-----",
    )
)

REQUEST_ID = "fbcaf9e5-d535-40a1-891c-7b70118cf7e8"
EXTENDED_ID = "K2G9wEbUoAMEvag="
TRACE = "Root=1-682beb8a-1c0746795c388c4d0b9cfcf9;Parent=53995c3f42cd8ad8;Sampled=1"
STREAM = "2024/01/01/[$LATEST]0123abcd0123abcd0123abcd0123abcd"
FUNCTION = "arn:aws:lambda:eu-west-1:111122223333:function:orders:live"

# What the diagnosis reads, in the lines in which it stands.
KEPT = [
    f"({REQUEST_ID}) Extended Request Id: {EXTENDED_ID}",
    f"({REQUEST_ID}) Starting authorizer: 4hugyv for request: {REQUEST_ID}",
    f"({REQUEST_ID}) Successfully completed authorizer execution",
    f"({REQUEST_ID}) Verifying Usage Plan for request: {REQUEST_ID}. API Key: API Stage: uwe3g5jm54/Prod",
    f"({REQUEST_ID}) API Key authorized because method 'GET /echo' does not require API Key. "
    "Request will not contribute to throttle or quota limits",
    f"({REQUEST_ID}) Usage Plan check succeeded for API Key and API Stage uwe3g5jm54/Prod",
    f"({REQUEST_ID}) Endpoint request URI: https://lambda.eu-west-1.amazonaws.com/2015-03-31/functions/"
    f"{FUNCTION}/invocations",
    f"({REQUEST_ID}) Endpoint request headers: {{x-amzn-lambda-integration-tag={REQUEST_ID}, "
    f"X-Amz-Date=20250520T024010Z, X-Amzn-Trace-Id={TRACE}}}",
    f"({REQUEST_ID}) Endpoint response headers: {{x-amzn-RequestId={REQUEST_ID}, "
    "X-Amz-Function-Error=Unhandled, X-Amz-Executed-Version=$LATEST}",
    f"({REQUEST_ID}) Received response. Status: 200, Integration latency: 11029 ms",
    f"({REQUEST_ID}) X-ray Tracing ID : Root=1-6962324d-273b8749616a929c8bd4fd14",
    f"({REQUEST_ID}) Execution failed due to configuration error: Could not parse policy",
    f"REPORT RequestId: {REQUEST_ID}\tDuration: 15.74 ms\tBilled Duration: 16 ms\tInit Duration: 130.49 ms\t",
    f"XRAY TraceId: 1-5e34a614-10bdxmplf1fb44f07bc535a1\tSegmentId: 07f5xmpl2d1f6f85\tSampled: true {STREAM}",
    '{"requestId":"' + REQUEST_ID + '","authorizer_error":"-","integrationLatency":"29000","apiKeyId":"abc"}',
    '{"message":"Missing Authentication Token"} x-amzn-ErrorType: MissingAuthenticationTokenException',
    "ExpiredToken: The security token included in the request is expired",
    "cannot read the secret: connect ETIMEDOUT 10.0.1.5:443",
    'tokenBucket: 5, "max_tokens": 4096, axios@1.21.0, bypass: yes',
    "Access-Control-Allow-Headers=Authorization,X-Api-Key,X-Amz-Security-Token, Access-Control-Allow-Credentials=true",
    "GET https://api.example.com:443/orders/7?page=2&sort=asc HTTP/1.1",
]


@pytest.mark.parametrize("line", KEPT)
def test_what_the_diagnosis_reads_is_not_touched(line: str) -> None:
    assert redact(line) == line


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        pytest.param(
            f"{{Authorization=Bearer a, b c, Host=x, X-Amzn-Trace-Id={TRACE}}}",
            f"{{Authorization=[REDACTED:authorization], Host=x, X-Amzn-Trace-Id={TRACE}}}",
            id="map-value-with-commas-and-spaces",
        ),
        pytest.param(
            "{Host=x, X-Amz-Security-Token=abc/def+gh [TRUNCATED]",
            "{Host=x, X-Amz-Security-Token=[REDACTED:token] [TRUNCATED]",
            id="map-cut-short",
        ),
        pytest.param(
            "{Set-Cookie=a=s1; Expires=Wed, 21 Oct 2026 07:28:00 GMT; Path=/, b=s2; Path=/, Via=1.1 x}",
            "{Set-Cookie=[REDACTED:cookie], Via=1.1 x}",
            id="cookies-joined-by-commas",
        ),
        pytest.param(
            "{Authorization=AWS4-HMAC-SHA256 Credential=K/20250520/eu-west-1/execute-api/aws4_request, "
            "SignedHeaders=host;x-amz-date, Signature=5d672d79c15b13, X-Amz-Date=20250520T024010Z}",
            "{Authorization=[REDACTED:authorization], SignedHeaders=host;x-amz-date, "
            "Signature=[REDACTED:signature], X-Amz-Date=20250520T024010Z}",
            id="signature-version-4-in-a-map",
        ),
        pytest.param(
            '{Authorization=Digest username="M", realm="r", response="6629fae4", Host=h}',
            "{Authorization=[REDACTED:authorization], Host=h}",
            id="digest-in-a-map",
        ),
        pytest.param(
            "> Host: x\n> authorization: Bearer a b\n> Cookie: c=d; e=f\n< HTTP/2 504\n",
            "> Host: x\n> authorization: [REDACTED:authorization]\n> Cookie: [REDACTED:cookie]\n< HTTP/2 504\n",
            id="header-lines-of-curl",
        ),
        pytest.param(
            "{\n  authorization:\n   'Bearer s1',\n  cookies: [ 'a=s2', 'b=s3' ],\n  host: 'x' }",
            "{\n  authorization:\n   '[REDACTED:authorization]',\n  cookies: ['[REDACTED:cookie]'],\n  host: 'x' }",
            id="node-inspect",
        ),
        pytest.param(
            '{"multiValueHeaders":{"Cookie":["a=s1","b=s2"],"Host":["x"]}}',
            '{"multiValueHeaders":{"Cookie":["[REDACTED:cookie]"],"Host":["x"]}}',
            id="lists-of-a-proxy-event-stay-json",
        ),
        pytest.param(
            '{"credentials": {"a": "s}1", "b": "s2"}, "n": 1}',
            '{"credentials": "[REDACTED:credential]", "n": 1}',
            id="object-under-a-secret-name",
        ),
        pytest.param(
            '{"type":"TOKEN","authorizationToken":"Bearer s","methodArn":"arn"}',
            '{"type":"TOKEN","authorizationToken":"[REDACTED:token]","methodArn":"arn"}',
            id="authorizer-event-whose-type-is-the-word-token",
        ),
        pytest.param(
            '{"key": "Authorization", "value": "Basic s"} (b"x-api-key", b"s")',
            '{"key": "Authorization", "value": "[REDACTED:authorization]"} (b"x-api-key", b"[REDACTED:api-key]")',
            id="name-and-value-side-by-side",
        ),
        pytest.param(
            "https://b.s3.amazonaws.com/k?X-Amz-Date=20250520T024010Z&X-Amz-Credential=K%2F2025&X-Amz-Signature=5d67&n=1",
            "https://b.s3.amazonaws.com/k?X-Amz-Date=20250520T024010Z&X-Amz-Credential=[REDACTED:credential]"
            "&X-Amz-Signature=[REDACTED:signature]&n=1",
            id="presigned-s3",
        ),
        pytest.param(
            "https://s.blob.core.windows.net/c?sv=2024&sig=aB%2Bc%3D&se=2026",
            "https://s.blob.core.windows.net/c?sv=2024&sig=[REDACTED:signature]&se=2026",
            id="azure-shared-access",
        ),
        pytest.param(
            '"url": "https://x/y?sig=", "n": "1"',
            '"url": "https://x/y?sig=", "n": "1"',
            id="empty-query-value",
        ),
        pytest.param(
            "postgres://app:p/w:1@db.internal:5432/x",
            "postgres://app:[REDACTED:password]@db.internal:5432/x",
            id="url-with-a-password",
        ),
        pytest.param(
            "Server=db;User Id=u;Password=a,b;Initial Catalog=x",
            "Server=db;User Id=u;Password=[REDACTED:password];Initial Catalog=x",
            id="connection-string",
        ),
        pytest.param(
            "plan for request: ID. API Key: ****abc API Stage: x/Prod",
            "plan for request: ID. API Key: [REDACTED:api-key] API Stage: x/Prod",
            id="usage-plan-line",
        ),
        pytest.param(
            f"{{Authorization=Bearer {JWT}, Host=x}}",
            "{Authorization=[REDACTED:authorization], Host=x}",
            id="one-secret-within-another",
        ),
        pytest.param(
            "mysql --user app --password hunter2 db",
            "mysql --user app --password [REDACTED:secret] db",
            id="flag",
        ),
        pytest.param(
            "?state=%7B%22password%22%3A%22hunter2%22%7D&n=1",
            "?state=%7B%22password%22%3A%22[REDACTED:password]%22%7D&n=1",
            id="json-in-a-query",
        ),
        pytest.param("<password>s</password>", "<password>[REDACTED:password]</password>", id="xml"),
        pytest.param(
            f"using {ACCESS_KEY},{SESSION_KEY}", "using [REDACTED:access-key],[REDACTED:access-key]", id="ids"
        ),
        pytest.param(f"got {JWT}.", "got [REDACTED:jwt]", id="jwt"),
        pytest.param(f"got {JWT[:40]} [TRUNCATED]", "got [REDACTED:jwt] [TRUNCATED]", id="jwt-cut-short"),
        pytest.param(f"sts {SESSION_TOKEN} ok", "sts [REDACTED:session-token] ok", id="session-token"),
        pytest.param(f"key\n{PEM}\nend", "key\n[REDACTED:private-key]\nend", id="pem"),
        pytest.param("by jane.doe+x@corp.example.com!", "by [REDACTED:email]!", id="email"),
        pytest.param("?u=jane%40example.com&n=1", "?u=[REDACTED:email]&n=1", id="email-in-a-query"),
        pytest.param("ghp" + "_" + "x1" * 18, "[REDACTED:token]", id="github"),
        pytest.param("xoxb" + "-12345678-" + "aB3" * 6, "[REDACTED:token]", id="slack"),
    ],
)
def test_only_the_secret_is_replaced(text: str, expected: str) -> None:
    assert redact(text) == expected
    assert redact(expected) == expected


NAMES = st.sampled_from(
    [
        "Authorization",
        "Proxy-Authorization",
        "x-api-key",
        "X-Amz-Security-Token",
        "password",
        "DB_PASSWORD",
        "client_secret",
        "refreshToken",
        "aws_secret_access_key",
        "private_key",
        "id_token",
        "sessionToken",
    ]
)
# A tail that no other text here contains, after anything that a value may hold in that shape.
TAIL = "q7Zk9Vw3Xb"


def _values(*excluded: str) -> st.SearchStrategy[str]:
    characters = st.characters(codec="utf-8", exclude_characters="\n\r" + "".join(excluded), exclude_categories=["Cs"])
    return st.text(characters, max_size=12).map(lambda head: f"s{head}{TAIL}")


def _json_in_json(name: str, value: str) -> str:
    return json.dumps({"body": json.dumps({"n": {name: value, "id": REQUEST_ID}})})


def _thrice(name: str, value: str) -> str:
    return json.dumps({"Records": [{"body": _json_in_json(name, value)}]})


Shape = Callable[[str, str], str]
SHAPES: list[tuple[Shape, str]] = [
    (lambda name, value: f"({REQUEST_ID}) headers: {{Host=x, {name}={value}, Via=1.1 y}}", ",}\"'`)]\\"),
    (lambda name, value: f"({REQUEST_ID}) headers: {{{name}={value} [TRUNCATED]", ",}\"'`)]\\["),
    (lambda name, value: json.dumps({"id": REQUEST_ID, name: value}), ""),
    (lambda name, value: json.dumps({"a": {name: [value, value]}}), ""),
    (lambda name, value: json.dumps({name: {"x": value}, "y": 1}), ""),
    (_json_in_json, ""),
    (_thrice, ""),
    (lambda name, value: f"> Host: x\n> {name}: {value}\n>", ",}\"'`)]\\"),
    (lambda name, value: repr({"n": 1, name: value}), ""),
    (lambda name, value: repr([("Host", "x"), (name, value)]), ""),
    (lambda name, value: f"{{ host: 'x', '{name}': '{value}', n: 1 }}", "'\\"),
    (
        lambda name, value: f"https://x.example/y?a=1&{name}={value}&b=2",
        " \t\"'`&,;)]}>\\<%\x0b\x0c\x1c\x1d\x1e\x1f\x85\xa0",
    ),
]


@given(name=NAMES, shape=st.sampled_from(SHAPES), data=st.data())
def test_a_planted_secret_never_survives(name: str, shape: tuple[Shape, str], data: st.DataObject) -> None:
    build, excluded = shape
    if build is SHAPES[-1][0]:
        value = "s" + data.draw(st.text("abcXYZ019._~/+-=:@", max_size=12)) + TAIL
    else:
        value = data.draw(_values(excluded))
    text = build(name, value)
    assert TAIL in text
    assert TAIL not in redact(text)


@given(
    name=NAMES,
    value=_values(",}\"'`)]\\["),
    line=st.sampled_from(KEPT),
    before=st.booleans(),
)
def test_ids_beside_a_secret_survive(name: str, value: str, line: str, before: bool) -> None:
    secret = f"{{{name}={value}, x-amzn-RequestId={REQUEST_ID}, X-Amzn-Trace-Id={TRACE}}}"
    out = redact(f"{line}\n{secret}" if before else f"{secret}\n{line}")
    assert line in out
    assert f"x-amzn-RequestId={REQUEST_ID}, X-Amzn-Trace-Id={TRACE}}}" in out


# Fragments that the patterns look for, so that random text comes near to them.
FRAGMENTS = st.sampled_from(
    [
        "token",
        "Authorization",
        "cookie",
        "password",
        "sig",
        "API Key",
        "=",
        ": ",
        ":",
        ", ",
        ",",
        "{",
        "}",
        "[",
        "]",
        '"',
        "'",
        '\\"',
        "\\",
        "\\\\",
        "\n",
        " ",
        "&",
        "?",
        ";",
        "<",
        ">",
        "@",
        "x.io",
        "://",
        "Bearer ",
        "%3D",
        "%26",
        " [TRUNCATED]",
        "[REDACTED:token]",
        "[REDACTED:",
        "Host",
        "Host=",
        "eyJ" + "A" * 17,
        ".",
        "-",
        "null",
        "value",
        '="',
        "error",
        "> ",
        "API Stage",
        "-----BEGIN PRIVATE " + "KEY-----",
        "code=" + "a" * 16,
        "a",
        "1.2.3.4",
        "::",
        "user",
        "principal",
        "?a=b",
        "queryString",
        "ffff:",
    ]
)
HOSTILE = st.lists(FRAGMENTS | st.text(max_size=3), max_size=24).map("".join)


@given(HOSTILE)
@example("token=[token=[")
@example('password=" , token="x')
def test_redacting_twice_is_redacting_once(text: str) -> None:
    once = redact(text)
    assert redact(once) == once


@given(HOSTILE)
def test_anonymizing_twice_is_anonymizing_once(text: str) -> None:
    anonymizer = Anonymizer(b"key")
    once = anonymizer.anonymize(text)
    assert anonymizer.anonymize(once) == once


@given(st.text())
def test_no_text_raises(text: str) -> None:
    Anonymizer(b"").anonymize(redact(text))
    clean_terminal(text)


@pytest.mark.parametrize(
    "piece",
    [
        "a",
        "\\",
        '"',
        "eyJ",
        "eyJ" + "a" * 20,
        "a@",
        "a@b.",
        "a.1@",
        "token=[",
        "token=[\n",
        'token="',
        "token={'",
        "token",
        "token=",
        ",token=a",
        "{token=a",
        "sig",
        'sig="   ',
        "://a:",
        "://a:b@",
        "://",
        "Bearer ",
        "Basic aB",
        "-----BEGIN PRIVATE " + "KEY-----",
        "IQoJb3JpZ2lu",
        "sk-",
        "SG.",
        "?code=",
        ":",
        "1.",
        "1:",
        "f::",
        "::",
        " ",
        "1 a ",
        "?a=b",
        "user:",
        "queryString={a=",
        "\x1b[",
        "\x1b]",
        "\x9b",
        "\n",
        '="',
        "cookie: a, ",
        "</",
        "&",
        ";",
        'password\\\\\\"',
        'authorization: a="',
        "token : ",
        '\\"token\\":\\"',
        "[REDACTED:token]",
        "token=[REDACTED:",
    ],
)
def test_a_megabyte_of_one_hostile_piece_is_worked_off(piece: str) -> None:
    text = piece * (1_000_000 // len(piece))
    Anonymizer(b"key").anonymize(redact(text))
    assert "\x1b" not in clean_terminal(text)


class TestAnonymizer:
    """Addresses and principals become hashes that keep patterns and give nothing away."""

    def test_the_same_client_is_recognised_in_every_spelling_under_one_key_only(self) -> None:
        here, there = Anonymizer(b"one"), Anonymizer(b"two")
        long, short = here.anonymize("2001:0db8:0:0:0:0:0:1"), here.anonymize("2001:db8::1")
        assert long == short != there.anonymize("2001:db8::1")
        assert here.anonymize("10.0.1.5") in here.anonymize("ip-10-0-1-5.ec2.internal")

    @pytest.mark.parametrize(
        ("text", "pattern"),
        [
            ('"sourceIp":"203.0.113.9","n":1', r'"sourceIp":"ip-H","n":1'),
            ("X-Forwarded-For=203.0.113.9, 198.51.100.7, Via=x", "X-Forwarded-For=ip-H, ip-H, Via=x"),
            ("[2001:db8::1]:443 and ::ffff:10.0.0.1.", r"[ip-H]:443 and ip-H."),
            ("for principal: auth0|jane doe", "for principal: principal-H"),
            (
                '"user":"bob","caller":"AIDAX","userAgent":"Chrome/120.0.0.0"',
                '"user":"principal-H","caller":"principal-H","userAgent":"Chrome/120.0.0.0"',
            ),
            (
                r"{\"principalId\":\"u1\",\"userArn\":\"arn:aws:iam::1:user/x\"}",
                r"{\"principalId\":\"principal-H\",\"userArn\":\"principal-H\"}",
            ),
            (
                "User: arn:aws:sts::1:assumed-role/a/b is not authorized",
                "User: principal-H is not authorized",
            ),
            (
                '203.0.113.9 - bob [24/Nov/2026:10:00:00 +0000] "GET /a?b=c HTTP/1.1"',
                'ip-H - principal-H [24/Nov/2026:10:00:00 +0000] "GET /a?b= HTTP/1.1"',
            ),
            ("GET /a?b=1&c=2,3 HTTP/1.1", "GET /a?b=&c= HTTP/1.1"),
            (r'{"url":"/a?b=1\u0026c=2"}', r'{"url":"/a?b=\u0026c="}'),
            ("Method request query string: {a=1, 2, b=3}", "Method request query string: {a=, b=}"),
            (
                '"queryStringParameters": {"a":"it\'s","b":"x"}, "rawQueryString":"a=1&b=2"',
                '"queryStringParameters": {"a":"","b":""}, "rawQueryString":"a=&b="',
            ),
        ],
    )
    def test_people_are_hashed_and_query_values_dropped(self, text: str, pattern: str) -> None:
        shown = re.sub(r"\b(ip|principal)-[0-9a-f]{10}\b", r"\1-H", Anonymizer(b"key").anonymize(text))
        assert shown == pattern

    @pytest.mark.parametrize(
        "text",
        [
            *(line for line in KEPT if "10.0.1.5" not in line and "?" not in line),
            "Using valid authorizer policy for principal: ****",
            '"user":"-","caller":null',
            "arn:aws:apigateway:us-east-1::/restapis/x arn:aws:lambda:eu-west-1::runtime:edb5 arn:aws:s3:::b",
            "17:30:04.123 Foo::bar std::",
        ],
    )
    def test_what_identifies_no_person_stays(self, text: str) -> None:
        assert Anonymizer(b"key").anonymize(text) == text


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("\x1b[1;31mred\x1b[0m", "red"),
        ("a\x1b]0;title\x07b\x1b]8;;http://x\x1b\\c", "abc"),
        ("a\x1b]0;never closed", "a0;never closed"),
        ("a\x9b2Jb\x85c\x7fd\x00", "ab cd"),
        ("one\r\ntwo\tthree\rfour", "one two three four"),
        ("user\u202egnp.exe\u2066\u200f", "usergnp.exe"),
        ("caf\u00e9 \u4e2d \U0001f600", "caf\u00e9 \u4e2d \U0001f600"),
        ("bad\ud800", "bad"),
    ],
)
def test_a_terminal_sees_plain_text(text: str, shown: str) -> None:
    assert clean_terminal(text) == shown


@given(st.text(st.characters()))
def test_nothing_that_steers_a_terminal_remains(text: str) -> None:
    shown = clean_terminal(text)
    assert not re.search(r"[\x00-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]", shown)
    assert clean_terminal(shown) == shown
    shown.encode()


@pytest.mark.parametrize("opening", ["[\n  ", "[ \r\n\t", "["])
def test_values_of_a_list_that_opens_at_a_lines_end_are_hidden(opening: str) -> None:
    """Pretty-printed JSON puts them on the next lines."""
    text = f'{{"x-api-key": {opening}"abcdef123456",\n  "zzzzyyyy1234"\n], "items": [\n  "book"\n]}}'
    hidden = redact(text)
    assert "abcdef123456" not in hidden
    assert "zzzzyyyy1234" not in hidden
    assert "book" in hidden
    assert redact(hidden) == hidden


@given(
    st.lists(st.sampled_from([*NEEDLES, ":", "=", "/", " ", '"', "log", "5", "eyJ"]), max_size=5),
    st.integers(0, 10**12),
)
def test_a_place_and_a_number_get_no_shorter_way_than_other_texts(words: list[str], number: int) -> None:
    """A file and its line are passed over early: nothing that is hidden in a longer text may slip through there."""
    text = f"{''.join(words)}:{number}"
    assert redact(text).rstrip() == redact(text + " ").rstrip()
