"""Much input: uniform files go the fast roads, in one process per core, and only what is remarkable gets a row.

In this order, as each step knows what the next must keep: everything that is not uniform (it may name requests),
access logs, execution logs, slow requests that came near a limit after all, and the Lambda logs.
"""

import tempfile
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import msgspec

from apigw_doctor.attribution.effective_limit import EffectiveLimits
from apigw_doctor.attribution.joins import Joiner
from apigw_doctor.evidence.crowd import Crowd
from apigw_doctor.evidence.tables import Evidence, Gap, InputFile, LambdaInvocation, Unread
from apigw_doctor.evidence.traffic import EXECUTION, Traffic, id64, merged
from apigw_doctor.model.errors import DISK_FULL
from apigw_doctor.model.watch import Watcher
from apigw_doctor.sources.crew import keep_little, run
from apigw_doctor.sources.file_reader import FileReader, notice_of
from apigw_doctor.sources.lambda_sweep import LambdaSweep
from apigw_doctor.sources.payload import Payloads, functions_of, named_by_file
from apigw_doctor.sources.portions import Assignment, Pieces, Portion, Shared, StretchRead, assign, read_portion
from apigw_doctor.sources.requests import Facts, Moment
from apigw_doctor.sources.slow import SlowLog, bring_back, bring_back_swept, near_from_ms
from apigw_doctor.sources.survey import Road, Surveyed, is_lambda_log
from apigw_doctor.sources.swept import Sweep
from apigw_doctor.sources.wanted import SLOW_FROM_MS, Wanted, wishes_of
from apigw_doctor.sources.wanted_invocations import WantedInvocations, asked_of


class Unfit(Exception):  # noqa: N818 - a state of the input
    """Files that looked uniform and were not: they have to be read by the tolerant reader."""

    def __init__(self, names: frozenset[str]) -> None:
        super().__init__(names)
        self.names = names


class AskedLater(Exception):  # noqa: N818 - a state of the input
    """Evidence spoke of requests that had been let go: read again, keeping them."""

    def __init__(self, wanted: Wanted) -> None:
        super().__init__(wanted)
        self.wanted = wanted


class Bulk:
    """One reading of much input."""

    def __init__(
        self,
        surveyed: list[Surveyed],
        payloads: Payloads,
        watcher: Watcher,
        slow_from_ms: float = SLOW_FROM_MS,
        pieces: Pieces | None = None,
        known: Wanted | None = None,
    ) -> None:
        self._pieces = pieces or Pieces()
        self._known = known or Wanted()
        self._surveyed = list(surveyed)
        self._slow_from_ms = slow_from_ms
        self._payloads = payloads
        self._watcher = watcher
        self._done = 0
        #: lines of each file that came before the stretch at hand
        self._lines_before: dict[str, int] = {}
        self._files: dict[str, InputFile] = {}
        self.problems: list[str] = []
        self.recognised = False

    def collect(self) -> Evidence:
        """Read it all.

        Raises:
            Unfit: when files have to go another road; start again with them on it.
            TooShort: when slow requests have to be kept from a shorter time on.
            Disordered: when a stream's invocations that were let go turn out to follow others.
            AskedLater: when requests were let go that evidence read later speaks of.
        """
        keep_little()
        self._watcher.phase("reading")
        self._watcher.total(sum(one.size for one in self._surveyed))
        with tempfile.TemporaryDirectory(prefix="apigw-doctor-") as folder:
            return self._collect(Path(folder))

    def _collect(self, folder: Path) -> Evidence:
        payloads = self._payloads
        others = Traffic()
        sweep = self._read_others(others, folder / "swept")
        evidence, slow_from_ms = payloads.evidence, min(self._slow_from_ms, near_from_ms(payloads.given()))
        asked = self._asked()
        access = self._gateway_log(Road.ACCESS, folder / "access", asked)
        payloads.requests.release_rest(others, asked.asks_for, slow_from_ms)
        execution = self._gateway_log(Road.EXECUTION, folder / "execution", self._also_kept(asked, access))
        for log in self._in_order(access, execution):
            payloads.requests.adopt(log.facts)
        payloads.requests.release_rest(others, asked.asks_for, slow_from_ms)
        limits = EffectiveLimits(payloads.so_far())
        bring_back(access, payloads, limits, slow_from_ms)
        bring_back(execution, payloads, limits, slow_from_ms)
        others = bring_back_swept(sweep, others, payloads, limits, slow_from_ms)
        for traffic, more in zip((execution.traffic, access.traffic), others.split(EXECUTION), strict=True):
            traffic.extend(more)
        payloads.requests.drop_fragments(execution.traffic)
        evidence.traffic = self._united(access.traffic, execution.traffic)
        swept = self._read_lambda_others()
        crowd, invocations = self._lambda_logs(folder / "lambda")
        crowd.extend(swept)
        evidence.files.extend(self._files.values())
        evidence = payloads.finish()
        evidence.invocations = each_once([*invocations, *evidence.invocations])
        evidence.crowd = crowd.without({id64(row.request_id.lower()) for row in evidence.invocations})
        return evidence

    def _read_others(self, traffic: Traffic, path: Path) -> Sweep | None:
        """Read everything that is not uniform; of the large files, last, only what is remarkable is kept."""
        large = [one for one in self._large() if not is_lambda_log(one)]
        for one in self._of(Road.TOLERANT):
            if one not in self._large():
                self._read_tolerantly(one)
        if not large:
            return None
        requests, asked = self._payloads.requests, self._asked()
        slow_from_ms = min(self._slow_from_ms, near_from_ms(self._payloads.given()))
        requests.sweep = sweep = Sweep(traffic, asked.asks_for, slow_from_ms, path, self._pieces.sweep_every)
        for one in large:
            self._read_tolerantly(one)
        requests.end_sweep()
        more = self._asked()
        if any(map(more.asks_for, traffic.ident, traffic.arrived_at)):
            raise AskedLater(more)
        return sweep

    def _large(self) -> list[Surveyed]:
        return [one for one in self._of(Road.TOLERANT) if one.text_size >= self._pieces.large_bytes]

    def _read_lambda_others(self) -> Crowd:
        """Read large Lambda logs that are not uniform, now that it is known which invocations are asked for."""
        crowd, lambdas = Crowd(), self._payloads.lambdas
        large = [one for one in self._large() if is_lambda_log(one)]
        if not large:
            return crowd
        so_far = self._payloads.so_far()
        named = partial(named_by_file, names=functions_of(so_far))
        sweep = LambdaSweep(crowd, asked_of(so_far).asks_for_row, named, self._pieces.sweep_every)
        if self._pieces.lambda_sweeps:
            lambdas.invocations.met = sweep.met
        for one in large:
            self._read_tolerantly(one)
        lambdas.invocations.met = None
        return crowd

    def _asked(self) -> Wanted:
        """What the evidence read so far speaks of."""
        given = self._payloads.given()
        slow_from_ms = min(self._slow_from_ms, near_from_ms(given))
        named = {id64(row.request_id) for row in given.requests if row.request_id}
        return wishes_of(given, slow_from_ms).also(named).with_(self._known)

    def _also_kept(self, asked: Wanted, access: SlowLog) -> Wanted:
        """The same, and the requests that have rows by now."""
        if not self._of(Road.EXECUTION):
            return asked
        kept = {id64(facts["request_id"]) for facts in access.facts if facts.get("request_id")}
        return asked.also(kept.union(self._payloads.requests.moments()))

    def _in_order(self, access: SlowLog, execution: SlowLog) -> list[SlowLog]:
        """The logs in the order in which they were given: of equal claims the first one counts."""
        first = next((one.road for one in self._surveyed if one.road in (Road.ACCESS, Road.EXECUTION)), Road.ACCESS)
        return [access, execution] if first is Road.ACCESS else [execution, access]

    def _of(self, road: Road) -> list[Surveyed]:
        return [one for one in self._surveyed if one.road is road]

    def _read_tolerantly(self, one: Surveyed) -> None:
        reader = FileReader(one.source, self._payloads)
        try:
            self.recognised |= reader.read()
        except OSError as error:
            if error.errno in DISK_FULL:
                raise  # slow requests are kept on disk
            self._unreadable(one.source.name, f"cannot be read: {error.strerror or error}")
        self.problems.extend(reader.problems)
        self._advance(one.size)

    def _unreadable(self, name: str, reason: str) -> None:
        """Note it once, however many parts the file has."""
        if f"{name}: {reason}" in self.problems:
            return
        self._payloads.evidence.gaps.append(Gap(origin=name, reason=reason, remedy="check the file's permissions"))
        self.problems.append(f"{name}: {reason}")

    def _advance(self, size: int) -> None:
        self._done += size
        self._watcher.done(self._done)

    # the fast roads

    def _gateway_log(self, road: Road, folder: Path, wanted: Wanted) -> SlowLog:
        log = SlowLog(Traffic(), [], [])
        if not self._of(road):
            return log
        for assignment, portion in self._portions(road, folder, wanted, WantedInvocations()):
            before = tuple(self._lines_before.get(one.surveyed.source.name, 0) for one in assignment.stretches)
            log.facts.extend(self._take(portion))
            log.add(portion, assignment, before)
        return log

    def _lambda_logs(self, folder: Path, skew_ms: float | None = None) -> tuple[Crowd, list[LambdaInvocation]]:
        """The Lambda logs, whose clock is `skew_ms` off the gateway's as far as that is known."""
        if not self._of(Road.LAMBDA):
            return Crowd(), []
        try:
            asked = asked_of(self._payloads.so_far(), skew_ms or 0.0)
            portions = [portion for _, portion in self._portions(Road.LAMBDA, folder, Wanted(), asked)]
        except Unfit as unfit:
            # Only these files go the other road: what the gateway's logs told stays as it is.
            for one in [one for one in self._of(Road.LAMBDA) if one.source.name in unfit.names]:
                self._surveyed.remove(one)
                self._read_tolerantly(one)
            return self._lambda_logs(folder.with_name(f"{folder.name}-again"), skew_ms)
        crowd, invocations = Crowd(), list[LambdaInvocation]()
        for portion in portions:
            crowd.extend(portion.crowd)
            invocations.extend(portion.take_rows())
        if skew_ms is None and portions:
            seen = msgspec.structs.replace(self._payloads.so_far(), invocations=invocations, crowd=crowd)
            skew_ms = Joiner(seen).skew_ms
            if skew_ms is not None:
                # Invocations were asked for at the gateway's times: those at the log's own are the right ones.
                return self._lambda_logs(folder.with_name(f"{folder.name}-shifted"), skew_ms)
        for portion in portions:
            self._payloads.requests.adopt(self._take(portion))
        return crowd, invocations

    def _portions(
        self, road: Road, folder: Path, wanted: Wanted, invocations: WantedInvocations
    ) -> Iterator[tuple[Assignment, Portion]]:
        """Read all files of one road.

        Raises:
            Unfit: at the end, when files were not as uniform as they had looked.
        """
        unfit: set[str] = set()
        assignments = list(assign(self._of(road), self._pieces.part_bytes))
        folder.mkdir()
        shared = Shared(folder, wanted, invocations, self._payloads.access.formats(), self._pieces.block_bytes)
        for assignment, portion in zip(
            assignments, run(read_portion, assignments, shared, self._pieces.processes), strict=True
        ):
            unfit.update(read.source.name for read in portion.stretches if read.unfit)
            if not unfit:
                self._advance(sum(stretch.size for stretch in assignment.stretches))
                yield assignment, portion
        if unfit:
            raise Unfit(frozenset(unfit))

    def _take(self, portion: Portion) -> list[Facts]:
        """Add what a portion read to the whole, but for the facts of its requests."""
        found: list[Facts] = []
        for read in portion.stretches:
            name = read.source.name
            before = self._lines_before.get(name, 0)
            found.extend(_moved(facts, name, before) if before else facts for facts in read.facts)
            self._count(read, before)
            self._lines_before[name] = before + read.lines
        evidence = self._payloads.evidence
        for name in evidence.__struct_fields__:
            value = getattr(portion.evidence, name)
            if isinstance(value, list):
                getattr(evidence, name).extend(value)
        return found

    def _count(self, read: StretchRead, before: int) -> None:
        """Note what a stretch was, and what in it could not be read."""
        name, evidence = read.source.name, self._payloads.evidence
        if read.problem is not None:
            self._unreadable(name, read.problem)
        for line, notice in read.notices:
            self.problems.extend(notice_of(name, before + line, notice, evidence))
        for reason, (first, count) in read.unread.items():
            evidence.unread.append(Unread(origin=f"{name}:{before + first}", lines=count, reason=reason))
        known = self._files.get(name)
        self._files[name] = InputFile(
            name=name,
            bytes_read=read.size + (known.bytes_read if known else 0),
            lines=read.lines + before,
            kinds=tuple(sorted(read.kinds.union(known.kinds if known else ()))),
        )
        self.recognised = True

    def _united(self, access: Traffic, execution: Traffic) -> Traffic:
        """The traffic of both logs without the requests that have rows."""
        kept = self._payloads.requests.moments()
        parts = []
        for part in (execution, access):
            doubtful = kept.keys() & set(part.ident)
            numbers = [number for number, ident in enumerate(part.ident) if ident in doubtful] if doubtful else []
            parts.append(part.without({number for number in numbers if _is_kept(part, number, kept)}))
        return merged(*parts)


def _is_kept(traffic: Traffic, number: int, kept: dict[int, list[Moment]]) -> bool:
    """The request has a row."""
    extended, at = traffic.extended[number], traffic.arrived_at[number]
    return any(same.is_of(extended, at) for same in kept[traffic.ident[number]])


def each_once(rows: list[LambdaInvocation]) -> list[LambdaInvocation]:
    """An invocation whose log was given twice counts once; the fuller telling of it stays."""
    found: dict[str, LambdaInvocation] = {}
    for row in rows:
        known = found.get(row.request_id)
        if known is None or (known.duration_ms is None and row.duration_ms is not None):
            found[row.request_id] = row
    return list(found.values())


def _moved(facts: Facts, name: str, before: int) -> Facts:
    """The facts of a part of a file, their lines counted from the file's beginning."""
    cites = facts.get("cites")
    if isinstance(cites, list):
        start = f"{name}:"
        for number, cite in enumerate(cites):
            if cite.origin.startswith(start) and cite.origin[len(start) :].isdigit():
                moved = f"{start}{int(cite.origin[len(start) :]) + before}"
                cites[number] = msgspec.structs.replace(cite, origin=moved)
    return facts
