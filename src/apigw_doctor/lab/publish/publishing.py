"""Publish a lab: the API at an AWS endpoint, and the evidence about it.

    published = publish(journal, setup, endpoint_url="http://127.0.0.1:5000", newest_at=time.time() * 1000)
    ...
    remove(published.created, endpoint_url="http://127.0.0.1:5000")

What is written there is under the endpoint's ids; `published.journal` and `published.setup` are the lab's own records
under these ids, so that everything can be compared. Logs of balancers, edges and clients are not published: they lie
in buckets and on the clients' side.
"""

from collections.abc import Iterable

import msgspec

from apigw_doctor.aws.clients import Access, Clients
from apigw_doctor.aws.errors import NotSupportedError
from apigw_doctor.lab.evidence.events import log_events
from apigw_doctor.lab.evidence.metrics import metric_points
from apigw_doctor.lab.evidence.traces import traces
from apigw_doctor.lab.publish.evidence import LogWriter, MetricWriter, SegmentWriter
from apigw_doctor.lab.publish.ledger import Created, Ledger, Removed, take_back
from apigw_doctor.lab.publish.renaming import move_to, renamed
from apigw_doctor.lab.publish.resources import create_log_groups, create_resources, services
from apigw_doctor.lab.publish.safety import refuse_real
from apigw_doctor.lab.records import Journal
from apigw_doctor.lab.setup import REGION, LabSetup

__all__ = ["Created", "Published", "Removed", "publish", "remove"]


class Published(msgspec.Struct, frozen=True, kw_only=True):
    """What a publication came to."""

    api_id: str
    stage: str
    log_groups: tuple[str, ...]
    #: log events, metric points and segment documents that were taken
    events: int
    metrics: int
    segments: int
    #: why how many of them were not
    rejected: dict[str, int]
    #: calls that the endpoint does not have, and how often they were wanted
    not_supported: dict[str, int]
    #: what is not as in the lab, in sentences
    notes: tuple[str, ...]
    #: in the order in which it was created; `remove` takes it away again
    created: tuple[Created, ...]
    #: by how much all times were moved
    moved_ms: int
    #: the records as they are there
    journal: Journal
    setup: LabSetup


def publish(
    journal: Journal,
    setup: LabSetup,
    *,
    endpoint_url: str | None,
    region: str | None = None,
    profile: str | None = None,
    newest_at: float | None = None,
    allow_real: bool = False,
) -> Published:
    """Create the API and its functions at an endpoint and write the lab's evidence there.

    `endpoint_url` None: as AWS_ENDPOINT_URL and AWS_ENDPOINT_URL_<SERVICE> say. `newest_at`, in epoch milliseconds,
    moves all times so that the newest is there: CloudWatch takes no log events that are older than 14 days or lie more
    than two hours ahead. Endpoints that are not loopback or private are refused unless `allow_real`. If it fails on
    the way, what was created is taken back.
    """
    access = Access(region=region, profile=profile, endpoint_url=endpoint_url, default_region=REGION)
    ledger = Ledger()
    with Clients(access) as clients:
        refuse_real([clients.service(name) for name in services(setup)], allow_real=allow_real)
        try:
            return _publish(journal, setup, clients, ledger, newest_at)
        except BaseException:
            take_back(ledger.created, clients)
            raise


def remove(
    created: Iterable[Created],
    *,
    endpoint_url: str | None,
    region: str | None = None,
    profile: str | None = None,
    allow_real: bool = False,
) -> Removed:
    """Delete what a publication has created; metrics and traces cannot be deleted, they go with time."""
    known = list(created)
    access = Access(region=region, profile=profile, endpoint_url=endpoint_url, default_region=REGION)
    with Clients(access) as clients:
        refuse_real([clients.service(name) for name in {one.service for one in known}], allow_real=allow_real)
        return take_back(known, clients)


def _publish(journal: Journal, setup: LabSetup, clients: Clients, ledger: Ledger, newest_at: float | None) -> Published:
    renaming = create_resources(setup, clients, ledger)
    moved_ms = 0 if newest_at is None else move_to(journal, newest_at)
    there, moved = renamed(setup, journal, renaming, moved_ms=moved_ms)
    groups: list[str] = []
    logs = LogWriter(clients.service("logs"), ledger)
    try:
        groups = create_log_groups(there, clients, ledger)
        logs.write(log_events(moved, there))
    except NotSupportedError as error:
        ledger.lacks("logs", error.message)
    metrics = MetricWriter(clients.service("cloudwatch"), ledger)
    metrics.write(metric_points(moved, there))
    segments = SegmentWriter(clients.service("xray"), ledger)
    segments.write(traces(moved, there))
    if any("old" in reason or "new" in reason for reason in logs.rejected):
        ledger.note("log events were rejected for their time: newest_at moves them")
    return Published(
        api_id=there.api.api_id,
        stage=there.api.stage,
        log_groups=tuple(groups),
        events=logs.written,
        metrics=metrics.written,
        segments=segments.written,
        rejected=dict(logs.rejected + metrics.rejected + segments.rejected),
        not_supported=dict(ledger.not_supported),
        notes=tuple(ledger.notes),
        created=tuple(ledger.created),
        moved_ms=moved_ms,
        journal=moved,
        setup=there,
    )
