"""The quick tests before the patterns of redaction never decide against a secret."""

import pytest

from apigw_doctor.evidence.redact import redact


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("logs/app.log:12", "logs/app.log:12"),
        ("/x?password=hunter2:12", "/x?password=[REDACTED:password]"),
        ("https://user:hunter2@host.example/app.log:12", "https://user:[REDACTED:password]@host.example/app.log:12"),
        ("me@example.com/app.log:12", "[REDACTED:email]/app.log:12"),
        ("PASSWORD:12345678", "PASSWORD:[REDACTED:password]"),
        ("token:12", "token:[REDACTED:token]"),
        (":12", ":12"),
    ],
)
def test_a_place_that_ends_in_a_line_number_is_redacted_too(text: str, expected: str) -> None:
    """A harmless file name is passed over quickly, a suspicious one is not."""
    assert redact(text) == expected
    assert redact(text) == expected
