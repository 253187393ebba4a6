"""JSON over many lines: a document that is read in pieces gives what it gives as a whole."""

import json
from pathlib import Path
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from apigw_doctor.sources.collect import collect
from apigw_doctor.sources.json_blocks import Block

ELEMENT = st.fixed_dictionaries(
    {"message": st.text(st.characters(codec="utf-8"), max_size=30) | st.just("[{]}"), "timestamp": st.integers(0, 10)},
    optional={"extra": st.lists(st.lists(st.integers(0, 9), max_size=3), max_size=3) | st.just({})},
)
BEFORE = st.sampled_from([{}, {"logGroup": "/aws/lambda/orders"}, {"messageType": "DATA_MESSAGE", "owner": "1"}])
AFTER = st.sampled_from(
    [
        {},
        {"nextToken": "abc"},
        {"searchedLogStreams": [], "nextToken": None},
        {"searchedLogStreams": [{"logStreamName": "x", "searchedCompletely": True}] * 12, "nextToken": "f/abc"},
        {"logStream": "2026/03/01/[$LATEST]0123456789abcdef"},
    ]
)


@given(
    elements=st.lists(ELEMENT, max_size=12),
    before=BEFORE,
    after=AFTER,
    indent=st.integers(0, 4),
    stream_after=st.integers(0, 400),
)
@settings(deadline=None, max_examples=300)
def test_no_element_is_lost_wherever_the_pieces_end(
    elements: list[Any], before: dict[str, Any], after: dict[str, Any], indent: int, stream_after: int
) -> None:
    """Also not the last ones before other keys, as `filter-log-events` writes them."""
    lines = json.dumps({**before, "events": elements, **after}, indent=indent, ensure_ascii=False).split("\n")
    block = Block(1, lines[0], stream_after)
    done = [block.feed(line) for line in lines[1:]]
    assert done.index(True) == len(done) - 1
    assert not block.broken
    documents = block.take()
    assert [element for document in documents for element in document.value["events"]] == elements
    for document in documents:
        assert before.items() <= document.value.items()


@given(elements=st.lists(ELEMENT, min_size=4, max_size=12), stream_after=st.integers(0, 200), data=st.data())
@settings(deadline=None)
def test_every_line_of_a_damaged_document_is_counted_or_read(
    elements: list[Any], stream_after: int, data: st.DataObject
) -> None:
    """What is no JSON is not dropped silently."""
    lines = json.dumps({"events": elements}, indent=2).split("\n")
    at = data.draw(st.integers(2, len(lines) - 3))
    lines[at] = "~"
    block = Block(1, lines[0], stream_after)
    for line in lines[1:]:
        if block.feed(line):
            break
    assert block.broken
    assert block.lost + len(block.lines) > 0


def test_a_large_indented_export_is_read_to_its_end(tmp_path: Path) -> None:
    """Over the size from which documents are read in pieces, with a tail behind the events."""
    request_id = "c0ffee00-0000-4000-8000-{:012x}"
    events = [
        {
            "timestamp": 1772359200250 + number,
            "message": f"({request_id.format(number)}) Method completed with status: 504",
        }
        for number in range(9000)
    ]
    tail = {"searchedLogStreams": [{"logStreamName": "x", "searchedCompletely": True}], "nextToken": "abc"}
    Path(tmp_path, "events.json").write_text(json.dumps({"events": events} | tail, indent=0), encoding="utf-8")
    evidence = collect((str(tmp_path),))
    assert len(evidence.requests) == 9000
    assert not evidence.unread
