"""Other ids and another time change nothing of what happened."""

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest
from tests.lab.evidence import journals
from tests.lab.evidence.journals import START, Scene
from tests.lab.evidence.test_round_trip import EVERYTHING, diagnosed, differences

from apigw_doctor.lab.evidence.configuration import configuration
from apigw_doctor.lab.evidence.events import by_stream, log_events
from apigw_doctor.lab.evidence.metrics import metric_points
from apigw_doctor.lab.publish.renaming import MINUTE_MS, Renaming, move_to, newest, renamed
from apigw_doctor.lab.records import FunctionLine, Journal

SCENES: dict[str, Callable[[], Scene]] = {"rest": journals.rest, "http": journals.http, "websocket": journals.websocket}
DAYS = 100 * 1440 * MINUTE_MS
SAME: dict[str, Any] = {"region": "eu-west-1", "account_id": "123456789012"}
ELSEWHERE = Renaming(
    api_id="zzzz999999",
    region="ap-southeast-2",
    account_id="000000000000",
    deployment_id="dep999",
    resources={"/orders/{id}": "res001", "/quote": "res002"},
    integrations={"GET /orders/{id}": "int001"},
    authorizers={"auth01": "aut999"},
    versions={"quote-fn": "1"},
)


def moved(scene: Scene, renaming: Renaming = ELSEWHERE, by: int = DAYS) -> Scene:
    setup, journal = renamed(scene.setup, scene.journal, renaming, moved_ms=by)
    return Scene(setup, journal, scene.expected)


@pytest.mark.parametrize("by", [0, DAYS, -DAYS, 7 * MINUTE_MS])
@pytest.mark.parametrize("name", SCENES)
def test_the_answers_stay_right(name: str, by: int, tmp_path: Path) -> None:
    scene = moved(SCENES[name](), by=by)
    assert differences(scene, diagnosed(scene, tmp_path, include=EVERYTHING)) == []


@pytest.mark.parametrize("name", SCENES)
def test_no_old_id_is_left_anywhere(name: str) -> None:
    scene = moved(SCENES[name]())
    api_id = SCENES[name]().setup.api.api_id
    texts = [
        *(f"{one.group} {one.stream} {one.message}" for one in log_events(scene.journal, scene.setup)),
        json.dumps(configuration(scene.setup)),
        repr(metric_points(scene.journal, scene.setup)),
        *(repr(one) for one in scene.journal.exchanges),
    ]
    for old in (api_id, "eu-west-1", "123456789012", "auth01", ":live/7", "2026-03-10", "10/Mar/2026"):
        # a subnet's id has the same digits in it
        alone = re.compile(rf"(?<![0-9a-z]){re.escape(old)}(?![0-9a-z])")
        assert [text for text in texts if alone.search(text)] == []


@pytest.mark.parametrize("name", SCENES)
def test_with_its_own_ids_and_times_nothing_changes(name: str) -> None:
    scene = SCENES[name]()
    api = scene.setup.api
    setup, journal = renamed(scene.setup, scene.journal, Renaming(api_id=api.api_id, **SAME))
    assert setup == scene.setup
    assert vars(journal) == vars(scene.journal)


def test_every_event_is_as_far_from_the_first_as_before() -> None:
    scene, there = journals.rest(), moved(journals.rest(), Renaming(api_id="a1b2c3d4e5", **SAME))
    before = [event.at for event in log_events(scene.journal, scene.setup)]
    after = [event.at for event in log_events(there.journal, there.setup)]
    assert [at + DAYS for at in before] == after
    assert newest(there.journal) == (newest(scene.journal) or 0) + DAYS


def test_there_and_back_is_where_it_was() -> None:
    scene = journals.rest()
    same = Renaming(api_id="a1b2c3d4e5", **SAME)
    back = moved(moved(scene, same), same, -DAYS)
    assert vars(back.journal) == vars(scene.journal)


def line(text: str, **facts: Any) -> FunctionLine:
    place: dict[str, Any] = {"at": START, "function": "orders-fn", "version": "$LATEST", "stream": "s1"}
    return FunctionLine(text=text, **place | facts)


def rewritten(record: FunctionLine, by: int = DAYS) -> FunctionLine:
    journal = Journal()
    journal.functions.append(record)
    _, made = renamed(journals.rest().setup, journal, ELSEWHERE, moved_ms=by)
    (found,) = made.functions
    assert isinstance(found, FunctionLine)
    return found


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("[INFO]\t2026-03-10T10:00:00.120Z\tid\tgo", "[INFO]\t2026-06-18T10:00:00.120Z\tid\tgo"),
        ("2026-03-10 10:00:00,120 go", "2026-06-18 10:00:00,120 go"),
        ('{"requestTimeEpoch": 1773136800120}', '{"requestTimeEpoch": 1781776800120}'),
        ("Root=1-69afeba0-0123456789abcdef01234567;Sampled=1", "Root=1-6a33c1a0-0123456789abcdef01234567;Sampled=1"),
        ("a1b2c3d4e5.execute-api.eu-west-1.amazonaws.com", "zzzz999999.execute-api.ap-southeast-2.amazonaws.com"),
        ("AmazonAPIGateway_a1b2c3d4e5", "AmazonAPIGateway_zzzz999999"),
        ("arn:aws:lambda:eu-west-1:123456789012:function:f", "arn:aws:lambda:ap-southeast-2:000000000000:function:f"),
        # what is of another time, or only looks like an id, is the user's own
        ("born 1990-01-01T00:00:00Z", "born 1990-01-01T00:00:00Z"),
        ("2026-13-45T10:00:00Z", "2026-13-45T10:00:00Z"),
        ("order 4773136800120, 01773136800120", "order 4773136800120, 01773136800120"),
        ("0a1b2c3d4e5f eu-west-1a", "0a1b2c3d4e5f eu-west-1a"),
    ],
)
def test_texts_follow(before: str, after: str) -> None:
    assert rewritten(line(before)).text == after


def test_a_stream_that_is_named_in_full_has_the_day_and_the_version_of_there() -> None:
    full = line("x", stream="2026/03/10/[7]0a1b", version="7", function="quote-fn")
    assert rewritten(full).stream == "2026/06/18/[1]0a1b"
    assert rewritten(full, by=0).stream == "2026/03/10/[1]0a1b"


def test_a_functions_own_segments_move_with_it() -> None:
    journal = journals.rest().journal
    part = {"name": "db", "start_time": 1773136800.5, "end_time": 1773136801.0}
    trace_id = "1-69afeba0-0123456789abcdef01234567"
    journal.segments.append({"trace_id": trace_id, **part, "subsegments": [part], "annotations": {"n": 3, "ok": True}})
    _, made = renamed(journals.rest().setup, journal, ELSEWHERE, moved_ms=DAYS)
    seconds = DAYS / 1000
    there = part | {"start_time": 1773136800.5 + seconds, "end_time": 1773136801.0 + seconds}
    assert made.segments == [
        {
            "trace_id": "1-6a33c1a0-0123456789abcdef01234567",
            **there,
            "subsegments": [there],
            "annotations": {"n": 3, "ok": True},
        }
    ]


def test_the_newest_record_lies_within_a_minute_before_the_wish() -> None:
    journal, wish = journals.rest().journal, 1_800_000_012_345.0
    _, made = renamed(journals.rest().setup, journal, ELSEWHERE, moved_ms=move_to(journal, wish))
    assert 0 <= wish - (newest(made) or 0) < MINUTE_MS
    assert move_to(Journal(), wish) == 0


def test_times_move_by_whole_minutes() -> None:
    with pytest.raises(ValueError, match="whole minutes"):
        renamed(journals.rest().setup, Journal(), ELSEWHERE, moved_ms=1)


def test_routes_keep_what_tells_them_apart() -> None:
    scene = journals.rest()
    routes = tuple(msgspec.structs.replace(one, throttle_rate=1.0) for one in scene.setup.api.routes)
    setup = msgspec.structs.replace(scene.setup, api=msgspec.structs.replace(scene.setup.api, routes=routes))
    there, _ = renamed(setup, scene.journal, ELSEWHERE)
    assert {one.throttle_rate for one in there.api.routes} == {1.0}
    assert there.api.routes[0].resource_id == "res001"


def test_streams_of_one_environment_stay_one() -> None:
    scene = journals.rest()
    assert len(by_stream(log_events(scene.journal, scene.setup))) == len(
        by_stream(log_events(moved(scene).journal, moved(scene).setup))
    )
