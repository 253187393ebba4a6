"""Callers of a lab's gateway or edge: what they saw, when they gave up, and how often they tried again."""

import asyncio
import random
from collections.abc import Mapping
from email.utils import formatdate
from typing import Self
from urllib.parse import urlsplit

import aiohttp
import msgspec
from multidict import CIMultiDict
from yarl import URL

from apigw_doctor.lab.clock import Clock
from apigw_doctor.lab.records import ClientEntry, Journal

#: Gateway errors and throttling, which AWS's SDKs and many HTTP clients repeat.
RETRIED = (429, 500, 502, 503, 504)


class Retries(msgspec.Struct, frozen=True, kw_only=True):
    """How a caller repeats: exponential waits as AWS's SDKs have them, with a jitter that comes from the seed."""

    attempts: int = 3
    base_ms: float = 1_000.0
    max_ms: float = 20_000.0
    on_status: tuple[int, ...] = RETRIED
    #: also when it gave up itself, or lost the connection
    on_no_answer: bool = True
    seed: int = 0

    def wants_more(self, entry: ClientEntry) -> bool:
        """Whether this outcome is worth another attempt."""
        return self.on_no_answer if entry.status is None else entry.status in self.on_status

    def waits_ms(self) -> list[float]:
        """The waits between attempts.

        >>> [round(ms) for ms in Retries(attempts=4).waits_ms()]
        [844, 1516, 1682]
        """
        chance = random.Random(self.seed)  # noqa: S311 - repeatable on purpose
        waits = (min(self.max_ms, self.base_ms * 2**attempt) for attempt in range(self.attempts - 1))
        return [chance.random() * wait for wait in waits]


class Caller:
    """A caller that talks to the lab at `at` and says that it called `url`.

    Each request has its own connection, as from curl, unless `keep_alive`.
    """

    def __init__(
        self,
        clock: Clock,
        at: tuple[str, int],
        *,
        journal: Journal | None = None,
        timeout_ms: float | None = None,
        keep_alive: bool = False,
    ) -> None:
        self.clock, self.at, self.journal, self.timeout_ms = clock, at, journal, timeout_ms
        connector = aiohttp.TCPConnector(limit=0, force_close=not keep_alive)
        # All waiting is bounded by us: aiohttp would round long timeouts up to whole seconds.
        self._session = aiohttp.ClientSession(connector=connector, timeout=aiohttp.ClientTimeout(total=None))
        # aiohttp would repeat a lost GET once by itself; its own test client switches that off in the same way.
        self._session._retry_connection = False

    async def send(
        self,
        method: str,
        url: str,
        *,
        headers: Mapping[str, str] | None = None,
        body: str | bytes | None = None,
        timeout_ms: float | None = None,
    ) -> ClientEntry:
        """One request; status None where the caller gave up (`timed_out`), or the connection failed or was lost."""
        started_at = self.clock.now_ms()
        limit_ms = self.timeout_ms if timeout_ms is None else timeout_ms
        answered: tuple[int, dict[str, str], str] | None = None
        timed_out = False
        try:
            async with asyncio.timeout(None if limit_ms is None else limit_ms / 1000.0):
                answered = await self._ask(method, url, headers or {}, body)
        except TimeoutError:
            timed_out = True
        except aiohttp.ClientError:
            pass
        status, seen, text = answered or (None, {}, "")
        # The lab's servers date their answers by the machine's clock.
        seen |= {name: formatdate(self.clock.time_s(), usegmt=True) for name in seen if name.lower() == "date"}
        entry = ClientEntry(
            started_at=started_at,
            ended_at=self.clock.now_ms(),
            method=method,
            url=url,
            status=status,
            sent=_told(headers or {}),
            headers=seen,
            body=text,
            timed_out=timed_out,
        )
        if self.journal is not None:
            self.journal.clients.append(entry)
        return entry

    async def send_retrying(
        self,
        method: str,
        url: str,
        retries: Retries | None = None,
        *,
        headers: Mapping[str, str] | None = None,
        body: str | bytes | None = None,
        timeout_ms: float | None = None,
    ) -> list[ClientEntry]:
        """One request until an attempt is good enough or there are no more; every attempt with its own timeout."""
        retries = retries or Retries()
        entries: list[ClientEntry] = []
        for wait_ms in (0.0, *retries.waits_ms()):
            await asyncio.sleep(wait_ms / 1000.0)
            entries.append(await self.send(method, url, headers=headers, body=body, timeout_ms=timeout_ms))
            if not retries.wants_more(entries[-1]):
                break
        return entries

    async def listen(self, url: str, *, headers: Mapping[str, str] | None = None) -> "Listener":
        """Open a connection to a WebSocket API; see `Listener.refused` for a handshake that failed."""
        listener = Listener(self.clock, url, self.journal)
        await listener.open(self._session, _local(self.at, url, "ws"), _with_host(headers or {}, url))
        return listener

    async def stop(self) -> None:
        """Close the connections that are open."""
        await self._session.close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.stop()

    async def _ask(
        self, method: str, url: str, headers: Mapping[str, str], body: str | bytes | None
    ) -> tuple[int, dict[str, str], str]:
        target = _local(self.at, url, "http")
        async with self._session.request(
            method, target, headers=_with_host(headers, url), data=body, allow_redirects=False
        ) as response:
            text = await response.text(errors="replace")
            return response.status, dict(response.headers), text


class Listener:
    """One connection to a WebSocket API, and the frames that came in on it."""

    def __init__(self, clock: Clock, url: str, journal: Journal | None) -> None:
        self.url = url
        self.opened_at = clock.now_ms()
        #: what came in, in order
        self.frames: list[ClientEntry] = []
        #: status of the handshake that failed
        self.refused: int | None = None
        #: how the other side closed: 1001 after 10 minutes of silence, and so on; None: open, or never was
        self.close_code: int | None = None
        self.connection_id = ""
        self._clock, self._journal = clock, journal
        self._socket: aiohttp.ClientWebSocketResponse | None = None
        self._reading: asyncio.Task[None] | None = None
        self._news = asyncio.Event()

    async def open(self, session: aiohttp.ClientSession, target: URL, headers: CIMultiDict[str]) -> None:
        """Do the handshake and begin to collect frames."""
        try:
            self._socket = await session.ws_connect(target, headers=headers, autoping=True)
        except aiohttp.WSServerHandshakeError as error:
            self.refused = error.status
            self.connection_id = f"refused-{self.opened_at:.3f}"
            self._note("", status=error.status)
            return
        answered = getattr(self._socket, "_response").headers  # noqa: B009 - the handshake's headers have no other way
        self.connection_id = answered.get("x-lab-connection-id", f"connection-{self.opened_at:.3f}")
        self._reading = asyncio.get_running_loop().create_task(self._read())

    async def say(self, text: str) -> None:
        """Send one message."""
        if self._socket is not None:
            await self._socket.send_str(text)

    async def heard(self, count: int, timeout_ms: float) -> bool:
        """Wait until so many frames have come in, or the connection ended, at most so long."""
        try:
            async with asyncio.timeout(timeout_ms / 1000.0):
                while len(self.frames) < count and self._reading is not None and not self._reading.done():
                    self._news.clear()
                    await self._news.wait()
        except TimeoutError:
            pass
        return len(self.frames) >= count

    async def stop(self) -> None:
        """Close the connection, if it is open."""
        if self._socket is not None:
            await self._socket.close()
        if self._reading is not None:
            await self._reading

    async def _read(self) -> None:
        if self._socket is None:
            return
        async for message in self._socket:
            if message.type in (aiohttp.WSMsgType.TEXT, aiohttp.WSMsgType.BINARY):
                self._note(message.data if isinstance(message.data, str) else bytes(message.data).decode())
                self._news.set()
        self.close_code = self._socket.close_code
        self._news.set()

    def _note(self, text: str, status: int | None = None) -> None:
        now_ms = self._clock.now_ms()
        entry = ClientEntry(
            started_at=now_ms if status is None else self.opened_at,
            ended_at=now_ms,
            method="",
            url=self.url,
            status=status,
            body=text,
            connection_id=_connection_id(text) or self.connection_id,
        )
        if status is None:
            self.frames.append(entry)
        if self._journal is not None:
            self._journal.clients.append(entry)


async def send(
    clock: Clock,
    at: tuple[str, int],
    method: str,
    url: str,
    *,
    journal: Journal | None = None,
    headers: Mapping[str, str] | None = None,
    body: str | bytes | None = None,
    timeout_ms: float | None = None,
) -> ClientEntry:
    """One request of a caller that makes no other."""
    async with Caller(clock, at, journal=journal) as caller:
        return await caller.send(method, url, headers=headers, body=body, timeout_ms=timeout_ms)


def _local(at: tuple[str, int], url: str, scheme: str) -> URL:
    """The lab's own address of a public URL, with its path as it is."""
    parts = urlsplit(url)
    query = f"?{parts.query}" if parts.query else ""
    return URL(f"{scheme}://{at[0]}:{at[1]}{parts.path or '/'}{query}", encoded=True)


def _with_host(headers: Mapping[str, str], url: str) -> CIMultiDict[str]:
    return CIMultiDict({"Host": urlsplit(url).netloc, "User-Agent": "lab-client/1.0", **headers})


def _told(headers: Mapping[str, str]) -> dict[str, str]:
    """What a caller's own transcript shows of its headers: not the lab's plans, nor what proxies would add."""
    return {
        name: text for name, text in headers.items() if not name.lower().startswith(("x-lab-", "x-forwarded-", "host"))
    }


def _connection_id(text: str) -> str | None:
    """The id that the gateway's own error frames name."""
    try:
        said = msgspec.json.decode(text)
    except msgspec.DecodeError:
        return None
    found = said.get("connectionId") if isinstance(said, dict) else None
    return found if isinstance(found, str) else None
