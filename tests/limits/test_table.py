"""The table of facts is complete enough to be trusted: sourced, dated, in known units."""

import re
from typing import get_args
from urllib.parse import urlsplit

import pytest

from apigw_doctor.limits import table
from apigw_doctor.limits.table import LIMITS, Limit, Mark, Unit, limit, value

EVERY = pytest.mark.parametrize("entry", LIMITS.values(), ids=lambda entry: entry.id)


@EVERY
def test_an_entry_has_a_public_link_and_a_date_that_is_not_later_than_the_table(entry: Limit) -> None:
    link = urlsplit(entry.source)
    assert link.scheme == "https"
    assert "." in link.netloc
    assert link.path.strip("/")
    assert re.fullmatch(r"20\d\d(-(0[1-9]|1[0-2]))?", entry.as_of)
    assert entry.as_of <= "2026-11"


@EVERY
def test_an_entry_uses_a_known_unit_and_mark(entry: Limit) -> None:
    assert entry.unit in get_args(Unit)
    assert entry.mark in get_args(Mark)


@EVERY
def test_the_range_of_an_entry_holds_its_value(entry: Limit) -> None:
    if entry.value is not None:
        assert (entry.minimum or 0.0) <= entry.value <= (entry.maximum or float("inf"))


@EVERY
def test_only_an_adjustable_entry_names_a_quota(entry: Limit) -> None:
    assert entry.quota_code is None or (entry.adjustable and re.fullmatch(r"L-[0-9A-F]{8}", entry.quota_code))


def test_no_entry_hides_behind_the_id_of_another() -> None:
    groups = [group for group in vars(table).values() if isinstance(group, tuple)]
    entries = [entry for group in groups for entry in group if isinstance(entry, Limit)]
    assert len(entries) == len(LIMITS)


def test_a_fact_without_a_boundary_has_no_number_to_ask_for() -> None:
    assert limit("requests-timeout").value is None
    with pytest.raises(ValueError, match="no boundary"):
        value("requests-timeout")


def test_an_unknown_id_is_a_mistake_of_the_caller() -> None:
    with pytest.raises(KeyError):
        limit("rest-timeout")


def test_a_year_of_one_idle_provisioned_gigabyte_costs_what_the_hourly_price_says() -> None:
    """The public rule of thumb is 0.015 USD for one GB and hour."""
    assert value("provisioned-concurrency-idle-price") * 3_600 == pytest.approx(0.015, rel=1e-3)


def test_a_wedged_cloudfront_origin_outlasts_every_default_gateway_timeout() -> None:
    """CloudFront's 3 connects of 10 s end with its 30 s, which is not below any gateway default."""
    connect_ms = value("cloudfront-origin-connect") * value("cloudfront-origin-attempts")
    assert connect_ms == value("cloudfront-origin-response") == value("http-integration-timeout")
