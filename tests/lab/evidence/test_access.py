"""Access-log lines: any format string, and the variables whose values matter."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.lab.evidence import journals
from tests.lab.evidence.journals import Scene

from apigw_doctor.diagnosis.remedies import ACCESS_LOG_FORMAT
from apigw_doctor.lab.evidence.access import RECOMMENDED, TimeoutLatency, context, render

SCENES = [journals.rest(), journals.http(), journals.websocket()]
KNOWN = sorted({name for scene in SCENES for one in scene.journal.exchanges for name in context(one, scene.setup.api)})
WORDS = st.sampled_from(
    [
        *(f"$context.{name}" for name in KNOWN),
        "$context.",
        "$context",
        "$context.x.y.z",
        "$",
        "{",
        '"',
        "<",
        "\\",
        "\\1",
    ]
)
TEMPLATES = st.lists(WORDS | st.text(max_size=8)).map("".join)


@given(TEMPLATES, st.sampled_from(SCENES), st.integers(0, 22), st.sampled_from(["-", "-1", "limit"]))
def test_any_format_string_is_rendered(text: str, scene: Scene, number: int, latency: TimeoutLatency) -> None:
    exchange = scene.journal.exchanges[number % len(scene.journal.exchanges)]
    render(text, exchange, scene.setup.api, timeout_latency=latency)


def test_what_is_unknown_or_not_set_is_a_dash() -> None:
    scene = journals.rest()
    line = render(
        "$context.waf.status $context.no.such.name $context.error.message $context.requestId.",
        scene.journal.exchanges[0],
        scene.setup.api,
    )
    assert line == f"- - - {scene.journal.exchanges[0].request_id}."


def test_a_quoted_message_string_spoils_the_json_of_failed_rows_only() -> None:
    scene = journals.rest()
    lines = [
        render('{"m":"$context.error.messageString"}', one, scene.setup.api)
        for one in scene.journal.exchanges
        if one.status in (200, 504)
    ]
    assert json.loads(lines[0]) == {"m": "-"}
    assert '{"m":""Endpoint request timed out""}' in lines


@pytest.mark.parametrize(("option", "shown"), [("-", "-"), ("-1", "-1"), ("limit", "29007")])
def test_a_cut_call_has_no_request_id_and_the_latency_that_is_asked_for(option: TimeoutLatency, shown: str) -> None:
    scene = journals.rest()
    cut = next(one for one in scene.journal.exchanges if one.status == 504)
    template = "$context.integration.latency|$context.awsEndpointRequestId|$context.integrationErrorMessage|$context.responseLatency"
    line = render(template, cut, scene.setup.api, timeout_latency=option)
    assert line == f"{shown}|-|Execution failed due to a timeout error|29023"


def test_the_recommended_format_is_the_one_that_the_tool_recommends() -> None:
    assert RECOMMENDED == ACCESS_LOG_FORMAT
