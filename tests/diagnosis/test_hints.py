"""The quick look before a long pattern never hides what the pattern would find."""

import pytest

from apigw_doctor.diagnosis.rules import connection_pool_exhausted, dns_stall
from apigw_doctor.diagnosis.stalls import may_hold

_POOL = (
    "FATAL: sorry, Too many connections",
    "too many clients already",
    "remaining connection slots are reserved",
    "ERR max number of clients reached",
    "exceeded the 'max_user_connections'",
    "Timeout acquiring a connection",
    "timeout exceeded when trying to connect",
    "acquiring a database connection from the proxy timed out",
    "ResourceRequest timed out",
    "QueuePool limit of size 5",
    "Queue limit reached.",
    "pool is exhausted",
    "Connection is not available, request timed out after 30000ms",
    "ConnectionPoolTimeoutException",
    "PoolTimeout",
    "WaitQueueTimeoutError",
    "Timed out fetching a new connection from the connection pool",
    "Timed out while checking out a connection",
    "couldn't get a connection after 30.00 sec",
    "no available connections are available",
    "no free connection",
    "Timeout waiting for connection from pool",
    "Could not get a resource from the pool",
    "took longer than the configured maximum",
    "obtaining a connection from the pool",
    "all pooled connections were in use",
    "max pool size was reached",
    "(total=10, active=10, idle=0, waiting=3)",
    "socket usage at capacity=50",
    "Connection acquisition timeout",
    "waiting for a free database connection",
)
_NAMES = (
    "EAI_AGAIN",
    "UnknownHostException",
    "Temporary failure in name resolution",
    "getaddrinfo ENOTFOUND",
    "Name or service not known",
    "NameResolutionError",
    "Could not resolve host",
    "nodename nor servname provided",
    "socket.gaierror",
    "Failed to resolve 'db'",
    "could not translate host name",
    "No address associated with hostname",
    "No such host is known",
    "queryA ETIMEOUT",
    "lookup db.internal: no such host",
)


@pytest.mark.parametrize("text", _POOL)
def test_every_word_about_a_pool_passes_the_quick_look(text: str) -> None:
    """In any case, as the pattern takes it."""
    for form in (text, text.upper(), text.lower()):
        assert connection_pool_exhausted._WORDS.search(form)
        assert may_hold(form, connection_pool_exhausted._HINTS)


@pytest.mark.parametrize("text", _NAMES)
def test_every_word_about_names_passes_the_quick_look(text: str) -> None:
    """Each branch of the pattern has a hint."""
    assert dns_stall._WORDS.search(text)
    assert may_hold(text, dns_stall._HINTS)
