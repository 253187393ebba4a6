"""Every form that a lab writes, against texts that were read line by line."""

import json
from collections.abc import Callable, Iterable

import msgspec
import pytest
from tests.lab.evidence import journals
from tests.lab.evidence.gold import check
from tests.lab.evidence.journals import START, Scene

from apigw_doctor.lab.evidence.access import CONSOLE, RECOMMENDED, render
from apigw_doctor.lab.evidence.balancer import balancer_line
from apigw_doctor.lab.evidence.client import transcripts
from apigw_doctor.lab.evidence.configuration import configuration
from apigw_doctor.lab.evidence.edge import HEADER, edge_line
from apigw_doctor.lab.evidence.events import LogEvent, by_stream, execution_log, lambda_logs
from apigw_doctor.lab.evidence.files import ExecutionLevel, with_level
from apigw_doctor.lab.evidence.forms import iso
from apigw_doctor.lab.evidence.metrics import metric_points
from apigw_doctor.lab.evidence.traces import traces
from apigw_doctor.lab.records import ClientEntry, Exchange
from apigw_doctor.lab.setup import LogForm

SCENES: dict[str, Callable[[], Scene]] = {
    "rest": journals.rest,
    "http": journals.http,
    "websocket": journals.websocket,
    "environments": journals.environments,
}


def told(events: Iterable[LogEvent]) -> str:
    """Streams one below the other, events as an export has them, line ends shown."""
    lines: list[str] = []
    for (group, stream), known in by_stream(iter(events)).items():
        lines.append(f"# {group} {stream}")
        lines.extend(f"{iso(event.at)} {json.dumps(event.message)[1:-1]}" for event in known)
    return "\n".join([*lines, ""])


@pytest.mark.parametrize("level", ["ERROR", "INFO", "data-trace"])
@pytest.mark.parametrize("scene", ["rest", "websocket"])
def test_execution_log(scene: str, level: ExecutionLevel) -> None:
    made = SCENES[scene]()
    check(f"execution-{scene}-{level}.txt", told(execution_log(made.journal, with_level(made.setup.api, level))))


def test_http_apis_and_streamed_routes_have_no_execution_log() -> None:
    made, rest = journals.http(), journals.rest()
    assert list(execution_log(made.journal, made.setup.api)) == []
    streamed = msgspec.structs.replace(
        rest.journal.exchanges[0], route=msgspec.structs.replace(journals.ORDERS, stream=True)
    )
    rest.journal.exchanges[:] = [streamed]
    assert list(execution_log(rest.journal, rest.setup.api)) == []


@pytest.mark.parametrize("form", ["text", "text-old", "json"])
@pytest.mark.parametrize("scene", ["rest", "environments"])
def test_lambda_log(scene: str, form: LogForm) -> None:
    made = SCENES[scene]()
    check(f"lambda-{scene}-{form}.txt", told(lambda_logs(made.journal, made.setup, form)))


@pytest.mark.parametrize("scene", ["rest", "http", "websocket"])
def test_access_log(scene: str) -> None:
    made = SCENES[scene]()
    api = made.setup.api
    templates = {name: formats[api.api_type] for name, formats in CONSOLE.items()} | {"recommended": RECOMMENDED}
    seen: dict[tuple[int, str | None], Exchange] = {}
    for exchange in made.journal.exchanges:
        seen.setdefault((exchange.status, exchange.error_type), exchange)
    lines = [f"{name}: {render(text, one, api)}" for name, text in templates.items() for one in seen.values()]
    check(f"access-{scene}.txt", "\n".join([*lines, ""]))


@pytest.mark.parametrize("structure", ["new", "old"])
def test_traces_of_a_cold_start_and_of_a_cut_request(structure: str) -> None:
    made = journals.rest()
    cut = next(one for one in made.journal.exchanges if one.status == 504)
    made.journal.segments.append(
        {
            "type": "subsegment",
            "id": "aaaaaaaaaaaaaaaa",
            "name": "DynamoDB",
            "namespace": "aws",
            "trace_id": made.journal.exchanges[0].trace_id,
            "parent_id": "0412172749a6d34f",
            "start_time": (START + 470) / 1000.0,
            "end_time": (START + 480) / 1000.0,
            "aws": {"operation": "GetItem", "table_name": "orders"},
        }
    )
    wanted = {made.journal.exchanges[0].trace_id, cut.trace_id}
    found = [one for one in traces(made.journal, made.setup, structure=structure) if one["Id"] in wanted]  # type: ignore[arg-type]
    opened = [[json.loads(segment["Document"]) for segment in trace["Segments"]] for trace in found]
    check(f"traces-{structure}.json", json.dumps(opened, indent=1) + "\n")


@pytest.mark.parametrize("scene", ["rest", "http", "websocket"])
def test_configuration(scene: str) -> None:
    check(f"configuration-{scene}.json", json.dumps(configuration(SCENES[scene]().setup), indent=1) + "\n")


@pytest.mark.parametrize("scene", ["rest", "http", "websocket"])
def test_metrics_of_the_first_minutes(scene: str) -> None:
    made = SCENES[scene]()
    points = [one for one in metric_points(made.journal, made.setup) if one.at < START + 120_000]
    rows = [
        f"{iso(one.at)} {one.namespace} {one.name} {dict(one.dimensions)} {one.unit} {list(one.values)}"
        for one in points
    ]
    check(f"metrics-{scene}.txt", "\n".join([*rows, ""]))


def test_load_balancer_log() -> None:
    made = journals.rest()
    lines = [balancer_line(one, region="eu-west-1", account_id="123456789012") for one in made.journal.balancers]
    check("load-balancer.txt", "\n".join([*lines, ""]))


def test_edge_log() -> None:
    check("edge.txt", "\n".join([*HEADER, *map(edge_line, journals.rest().journal.edges), ""]))


def test_client_transcripts() -> None:
    entries = journals.rest().journal.clients + journals.websocket().journal.clients
    gave_up = ClientEntry(
        started_at=START,
        ended_at=START + 5_001,
        method="GET",
        url="https://a1b2c3d4e5.execute-api.eu-west-1.amazonaws.com/prod/orders/42?full=1",
        status=None,
        timed_out=True,
    )
    check("client.txt", "----\n".join(transcripts([*entries, gave_up])))
