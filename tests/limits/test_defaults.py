"""Which integration timeout is assumed for which kind of API."""

import pytest

from apigw_doctor.limits.defaults import ceiling_integration_limit_ms, default_integration_limit_ms, raisable

CASES = [
    # api type, endpoint type, transfer mode, default, ceiling, raisable
    ("rest", "REGIONAL", None, 29_000, None, True),
    ("rest", "PRIVATE", "BUFFERED", 29_000, None, True),
    ("rest", "EDGE", "BUFFERED", 29_000, 29_000, False),
    ("rest", None, None, 29_000, None, None),
    ("rest", "REGIONAL", "STREAM", 29_000, 900_000, True),
    ("rest", "EDGE", "STREAM", 29_000, 900_000, False),
    ("rest", None, "STREAM", 29_000, 900_000, None),
    ("http", None, None, 30_000, 30_000, False),
    ("http", "REGIONAL", "STREAM", 30_000, 30_000, False),
    ("websocket", None, None, 29_000, 29_000, False),
    ("websocket", "REGIONAL", None, 29_000, 29_000, False),
    ("unknown", None, None, 29_000, None, None),
    ("unknown", "EDGE", "STREAM", 29_000, None, None),
]


@pytest.mark.parametrize(("api", "endpoint", "mode", "default_ms", "ceiling_ms", "can_rise"), CASES)
def test_default_ceiling_and_way_up_of_each_kind_of_api(
    api: str,
    endpoint: str | None,
    mode: str | None,
    default_ms: float,
    ceiling_ms: float | None,
    can_rise: bool | None,
) -> None:
    assert default_integration_limit_ms(api, endpoint, mode) == default_ms
    assert ceiling_integration_limit_ms(api, endpoint, mode) == ceiling_ms
    assert raisable(api, endpoint) is can_rise


def test_case_does_not_matter() -> None:
    assert raisable("REST", "edge") is False
    assert ceiling_integration_limit_ms("Rest", "regional", "stream") == 900_000


def test_a_misspelt_kind_of_api_is_refused_rather_than_guessed() -> None:
    with pytest.raises(ValueError, match="none of http, rest, unknown, websocket"):
        default_integration_limit_ms("apigw")
