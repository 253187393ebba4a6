"""Samples found in the wild beside the rows they must give; `UPDATE_GOLDEN=1 pytest` rewrites the rows for review."""

import json
import os
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import msgspec
import pytest

from apigw_doctor.evidence.tables import Row
from apigw_doctor.sources import client, configuration, load_balancer, metrics, xray

DATA = Path(__file__).parents[1] / "data"


def of_lines(parse: Callable[[str, str], Row | None]) -> Callable[[str, str], Iterable[Row | None]]:
    return lambda words, name: [
        parse(line, f"{name}:{number}") for number, line in enumerate(words.splitlines(), start=1)
    ]


def of_transcript(words: str, name: str) -> Iterable[Row | None]:
    transcript = client.Transcript()
    unread = [
        line
        for number, line in enumerate(words.splitlines(), start=1)
        if not transcript.feed(line, f"{name}:{number}") and line.strip()
    ]
    assert unread == []
    return transcript.finish()


def of_document(parse: Callable[[object, str], Any]) -> Callable[[str, str], Iterable[Row | None]]:
    return lambda words, name: parse(json.loads(words), f"{name}:1")


SAMPLES: dict[str, Callable[[str, str], Iterable[Row | None]]] = {
    "alb_access_log_502.txt": of_lines(load_balancer.parse_line),
    "client_504_curl_v.txt": of_transcript,
    "client_websocket_timeout_frames.jsonl": of_lines(lambda line, origin: client.parse_body(json.loads(line), origin)),
    "xray_apigw_segment.json": of_document(xray.parse_document),
    "xray_lambda_coldstart_trace.json": of_document(xray.parse_document),
    "config_get_integration_v1_no_timeout.json": of_document(configuration.parse_document),
    "config_get_integrations_v2.json": of_document(configuration.parse_document),
    "config_get_stages_v1.json": of_document(configuration.parse_document),
    "metrics_get_metric_data.json": of_document(metrics.parse_document),
    "metrics_get_metric_statistics.json": of_document(metrics.parse_document),
}


@pytest.mark.parametrize("name", SAMPLES)
def test_a_sample_gives_its_rows(name: str) -> None:
    rows = SAMPLES[name]((DATA / name).read_text(encoding="utf-8"), name)
    found = [{"row": type(row).__name__} | told(row) for row in rows]
    golden = DATA / f"{name}.rows.json"
    if os.environ.get("UPDATE_GOLDEN"):
        golden.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
    assert found == json.loads(golden.read_text(encoding="utf-8"))


def told(row: Row | None) -> dict[str, Any]:
    """The fields of a row that say more than their default."""
    fields = {} if row is None else {field.name: field.default for field in msgspec.structs.fields(row)}
    plain = json.loads(msgspec.json.encode(row))
    return {name: plain[name] for name, default in fields.items() if getattr(row, name) != default}
