"""A lab's setup and journal under the ids that an endpoint gave, and at another time.

API ids, resource ids, versions, account and region cannot be chosen at an endpoint, and CloudWatch takes only events of
the last fortnight. So the records are written anew: ids wherever they stand, also in texts and bodies; all times by
the same whole minutes, with them the seconds in trace ids and the stamps in texts. Durations, request ids and what
happened stay as they are, so the lab's truth holds.
"""

import re
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, TypeVar

import msgspec

from apigw_doctor.lab.records import Journal
from apigw_doctor.lab.setup import LabApi, LabRoute, LabSetup

T = TypeVar("T", bound=msgspec.Struct)

MINUTE_MS = 60_000
_DAY_MS = 86_400_000.0
_TRACE = r"(?<![0-9A-Za-z])1-(?P<trace>[0-9a-f]{8})(?=-[0-9a-f]{24}(?![0-9A-Za-z]))"
_ISO = r"(?<!\d)(?P<day>\d{4}-\d\d-\d\d)(?P<between>[T ])(?P<time>\d\d:\d\d:\d\d)"
_EPOCH = r"(?<![\w.-])(?P<epoch>\d{13})(?![\w.-])"
_STREAM = re.compile(r"\d{4}/\d\d/\d\d(?=/\[)")


class Renaming(msgspec.Struct, frozen=True, kw_only=True):
    """The endpoint's ids for the lab's; what is not named keeps its id."""

    api_id: str
    region: str
    account_id: str
    deployment_id: str | None = None
    #: resource path -> resource id
    resources: dict[str, str] = {}
    #: route key -> integration id
    integrations: dict[str, str] = {}
    #: the lab's authorizer id -> the endpoint's
    authorizers: dict[str, str] = {}
    #: function -> number of its version there
    versions: dict[str, str] = {}


def renamed(setup: LabSetup, journal: Journal, renaming: Renaming, *, moved_ms: int = 0) -> tuple[LabSetup, Journal]:
    """New setup and journal; the given ones stay as they are. `moved_ms` is in whole minutes."""
    if moved_ms % MINUTE_MS:
        raise ValueError("times move by whole minutes, for metrics are by the minute")
    writer = _Writer(setup, journal, renaming, moved_ms)
    made = Journal()
    made.exchanges = [writer.record(one) for one in journal.exchanges]
    made.functions = [writer.record(one) for one in journal.functions]
    made.segments = [writer.segment(one) for one in journal.segments]
    made.balancers = [writer.record(one) for one in journal.balancers]
    made.edges = [writer.record(one) for one in journal.edges]
    made.clients = [writer.record(one) for one in journal.clients]
    return writer.setup(setup), made


def newest(journal: Journal) -> float | None:
    """The latest time that any record has."""
    return max((at for record in _records(journal) for at in _times(record)), default=None)


def move_to(journal: Journal, newest_at: float) -> int:
    """By how many milliseconds the journal is to be moved so that its newest record lies within a minute before."""
    known = newest(journal)
    return 0 if known is None else int((newest_at - known) // MINUTE_MS) * MINUTE_MS


class _Writer:
    def __init__(self, setup: LabSetup, journal: Journal, renaming: Renaming, moved_ms: int) -> None:
        self._renaming, self._moved_ms = renaming, moved_ms
        times = [at for record in _records(journal) for at in _times(record)]
        #: only times of the lab's own days are moved: a text may hold others
        self._span = (min(times) - _DAY_MS, max(times) + _DAY_MS) if times else (0.0, 0.0)
        self._ids = _ids(setup.api, renaming)
        self._pattern = self._searched()
        self._routes: dict[LabRoute, LabRoute] = {}
        self._streams: dict[str, str] = {}

    def setup(self, setup: LabSetup) -> LabSetup:
        renaming = self._renaming
        place = {"region": renaming.region, "account_id": renaming.account_id}
        functions = tuple(
            msgspec.structs.replace(one, version=self._version(one.name, one.version), **place)
            for one in setup.functions
        )
        authorizers = tuple(
            msgspec.structs.replace(one, id=renaming.authorizers.get(one.id, one.id)) for one in setup.api.authorizers
        )
        api = msgspec.structs.replace(
            setup.api,
            api_id=renaming.api_id,
            deployment_id=renaming.deployment_id or setup.api.deployment_id,
            routes=tuple(self._route(one) for one in setup.api.routes),
            authorizers=authorizers,
            **place,
        )
        return msgspec.structs.replace(setup, api=api, functions=functions)

    def record(self, record: T) -> T:
        """A record with all that is in it."""
        known = {name: getattr(record, name) for name in record.__struct_fields__}
        changed = {name: self._field(name, value, known) for name, value in known.items()}
        return type(record)(**changed)

    def segment(self, document: dict[str, Any]) -> dict[str, Any]:
        """A document that a function's SDK sent; its times are seconds."""
        return {str(name): self._part(name, value) for name, value in document.items()}

    def _part(self, name: str, value: Any) -> Any:  # noqa: ANN401 - a document holds anything
        if name in ("start_time", "end_time") and isinstance(value, (int, float)):
            return value + self._moved_ms / 1000
        if isinstance(value, list):
            return [self._part("", one) for one in value]
        return self.segment(value) if isinstance(value, dict) else self._value(value)

    def _field(self, name: str, value: Any, record: Mapping[str, Any]) -> Any:  # noqa: ANN401 - any field's value
        if isinstance(value, float | int) and (name == "at" or name.endswith("_at")):
            return value + self._moved_ms
        if name in ("version", "executed_version") and value is not None:
            return self._version(str(record.get("function") or "").partition(":")[0], value)
        if name == "stream":
            return self._stream(value, record)
        return self._value(value)

    def _value(self, value: Any) -> Any:  # noqa: ANN401 - any field's value
        if isinstance(value, str):
            return self._text(value)
        if isinstance(value, LabRoute):
            return self._route(value)
        if isinstance(value, msgspec.Struct):
            return self.record(value)
        if isinstance(value, dict):
            return {name: self._value(one) for name, one in value.items()}
        return tuple(self._value(one) for one in value) if isinstance(value, tuple) else value

    def _route(self, route: LabRoute) -> LabRoute:
        if route not in self._routes:
            renaming = self._renaming
            self._routes[route] = msgspec.structs.replace(
                route,
                url=None if route.url is None else self._text(route.url),
                resource_id=renaming.resources.get(route.path, route.resource_id),
                integration_id=renaming.integrations.get(route.key, route.integration_id),
                authorizer=renaming.authorizers.get(route.authorizer or "", route.authorizer),
            )
        return self._routes[route]

    def _version(self, function: str, version: str) -> str:
        return version if version == "$LATEST" else self._renaming.versions.get(function, version)

    def _stream(self, stream: str, record: Mapping[str, Any]) -> str:
        """A stream that is named in full bears the day on which its environment began, and the version."""
        if "[" not in stream:
            return stream
        if stream not in self._streams:
            began = datetime.fromtimestamp((record["at"] + self._moved_ms) / 1000.0, UTC)
            version = str(record["version"])
            shown = self._version(str(record["function"]), version)
            dated = _STREAM.sub(f"{began:%Y/%m/%d}", stream) if self._moved_ms else stream
            self._streams[stream] = dated.replace(f"[{version}]", f"[{shown}]")
        return self._streams[stream]

    # --- texts

    def _searched(self) -> re.Pattern[str] | None:
        parts = []
        if self._ids:
            words = "|".join(re.escape(one) for one in sorted(self._ids, key=len, reverse=True))
            # `AmazonAPIGateway_<id>` and the name of an execution log have an underscore before it.
            parts.append(rf"(?<![0-9A-Za-z-])(?P<id>{words})(?![\w-])")
        if self._moved_ms:
            parts += [_TRACE, _ISO, _EPOCH]
        return re.compile("|".join(parts)) if parts else None

    def _text(self, text: str) -> str:
        return text if self._pattern is None or not text else self._pattern.sub(self._found, text)

    def _found(self, match: re.Match[str]) -> str:
        found = match.groupdict()
        if found.get("id") is not None:
            return self._ids[found["id"]]
        if found["trace"] is not None:
            # Eight hexadecimal digits hold the seconds until 2106.
            return f"1-{(int(found['trace'], 16) + self._moved_ms // 1000) % 2**32:08x}"
        if found["epoch"] is not None:
            at = int(found["epoch"])
            return str(at + self._moved_ms) if self._span[0] <= at <= self._span[1] else match[0]
        return self._stamp(match)

    def _stamp(self, match: re.Match[str]) -> str:
        try:
            at = datetime.fromisoformat(f"{match['day']}T{match['time']}+00:00")
        except ValueError:
            return match[0]
        if not self._span[0] <= at.timestamp() * 1000.0 <= self._span[1]:
            return match[0]
        moved = at + timedelta(milliseconds=self._moved_ms)
        return f"{moved:%Y-%m-%d}{match['between']}{moved:%H:%M:%S}"


def _ids(api: LabApi, renaming: Renaming) -> dict[str, str]:
    """Words that are replaced wherever they stand alone."""
    pairs = {
        api.api_id: renaming.api_id,
        api.region: renaming.region,
        api.account_id: renaming.account_id,
        **renaming.authorizers,
    }
    return {old: new for old, new in pairs.items() if old and old != new}


def _records(journal: Journal) -> Iterator[msgspec.Struct]:
    for records in (journal.exchanges, journal.functions, journal.balancers, journal.edges, journal.clients):
        yield from records


def _times(record: msgspec.Struct) -> Iterator[float]:
    for name in record.__struct_fields__:
        if name == "at" or name.endswith("_at"):
            value = getattr(record, name)
            if value is not None:
                yield value
