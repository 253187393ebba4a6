"""Client of the lab's database, with a pool of connections, as a function's code uses it.

    pool = labdb.Pool(host, port, size=2, wait_timeout=5.0)
    with pool.connection() as connection:
        connection.query("orders-by-day", 40)

Nothing but `socket` and `time`, both looked up when they are used, so that their virtual versions work as well.
Timeouts are seconds; None waits for ever, which is the default of most drivers.
"""

import contextlib
import socket
import time
from collections.abc import Iterator

#: Looks for a free place grow rarer, for each costs a function on a fast clock real time.
_FIRST_LOOK_S, _LAST_LOOK_S = 0.01, 0.5


class Error(Exception):
    """Whatever goes wrong with the database."""


class OperationalError(Error):
    """The database cannot be reached, is full, or the connection was lost."""


class QueryError(Error):
    """The database refused or gave up a query."""


class PoolTimeoutError(Error):
    """No connection of the pool became free in time."""


class Connection:
    """One session; `timeout` is for each single wait."""

    def __init__(self, host: str, port: int, timeout: float | None = None) -> None:
        self.broken = False
        self._rest = b""
        try:
            self._socket = socket.create_connection((host, port), timeout)
        except OSError as error:
            raise OperationalError(f"could not connect to {host}:{port}: {error}") from error
        try:
            # The server says READY when it has a session for us; a paused one takes its time.
            self._read(OperationalError)
        except Error:
            self.close()
            raise

    def query(self, name: str, ms: float = 0.0) -> float:
        """Run a query that takes so long, unless the database has a plan for it; returns what it took there in ms."""
        return float(self._ask(f"QUERY {name} {ms:g}").split()[-1])

    def lock(self, name: str) -> None:
        """Take a lock, which this session keeps until `unlock` or its end."""
        self._ask(f"LOCK {name}")

    def unlock(self, name: str) -> None:
        """Give a lock back."""
        self._ask(f"UNLOCK {name}")

    def close(self) -> None:
        """End the session."""
        self.broken = True
        self._socket.close()

    def _ask(self, line: str) -> str:
        if self.broken:
            raise OperationalError("the connection is closed")
        try:
            self._socket.sendall(line.encode() + b"\n")
        except OSError as error:
            self.broken = True
            raise OperationalError(f"lost connection during query: {error}") from error
        return self._read(QueryError)

    def _read(self, refusal: type[Error]) -> str:
        while b"\n" not in self._rest:
            try:
                data = self._socket.recv(4096)
            except OSError as error:
                self.broken = True
                raise OperationalError(f"lost connection during query: {error}") from error
            if not data:
                self.broken = True
                raise OperationalError("lost connection during query: the server closed it")
            self._rest += data
        line, self._rest = self._rest.split(b"\n", 1)
        word, _, rest = line.decode().partition(" ")
        if word == "ERROR":
            raise refusal(rest)
        return rest


def connect(host: str, port: int, timeout: float | None = None) -> Connection:
    """Open a session."""
    return Connection(host, port, timeout)


class Pool:
    """At most `size` sessions; who finds none free waits for `wait_timeout`."""

    def __init__(
        self, host: str, port: int, size: int = 1, wait_timeout: float | None = None, timeout: float | None = None
    ) -> None:
        self.host, self.port, self.size = host, port, size
        self.wait_timeout, self.timeout = wait_timeout, timeout
        # A place is a session, or None where one may still be opened; taking and giving back one is atomic.
        self._places: list[Connection | None] = [None] * size

    @property
    def free(self) -> int:
        """Sessions that can be had at once."""
        return len(self._places)

    def acquire(self) -> Connection:
        """Take a session; it has to come back by `release`."""
        began, look_s = time.monotonic(), _FIRST_LOOK_S
        while True:
            try:
                place = self._places.pop()
                break
            except IndexError:
                left_s = None if self.wait_timeout is None else began + self.wait_timeout - time.monotonic()
                if left_s is not None and left_s <= 0:
                    raise PoolTimeoutError(
                        f"no connection of {self.size} became free within {self.wait_timeout:g} seconds"
                    ) from None
                time.sleep(look_s if left_s is None else min(look_s, left_s))
                look_s = min(2 * look_s, _LAST_LOOK_S)
        if place is not None:
            return place
        try:
            return connect(self.host, self.port, self.timeout)
        except BaseException:
            self._places.append(None)
            raise

    def release(self, connection: Connection) -> None:
        """Give a session back; a broken one makes room for another."""
        if connection.broken:
            connection.close()
        self._places.append(None if connection.broken else connection)

    @contextlib.contextmanager
    def connection(self) -> Iterator[Connection]:
        """A session for one `with` block."""
        connection = self.acquire()
        try:
            yield connection
        finally:
            self.release(connection)

    def query(self, name: str, ms: float = 0.0) -> float:
        """One query on any session."""
        with self.connection() as connection:
            return connection.query(name, ms)

    def close(self) -> None:
        """End the sessions that are free."""
        for number, place in enumerate(self._places):
            if place is not None:
                place.close()
                self._places[number] = None
