"""Nothing of a lab goes into a real account by accident: only loopback and private endpoints are written to.

>>> is_local("http://127.0.0.1:5000"), is_local("http://[::1]:4566"), is_local("http://192.168.7.9")
(True, True, True)
>>> is_local("https://logs.eu-west-1.amazonaws.com"), is_local("https://52.94.5.1")
(False, False)
"""

import socket
from ipaddress import ip_address
from urllib.parse import urlsplit

from apigw_doctor.aws.clients import Caller
from apigw_doctor.model.errors import UsageError

#: Inside a VPC these names may lead to private addresses, and to AWS all the same.
_AWS = ("amazonaws.com", "amazonaws.com.cn", "amazonaws.eu", "aws.dev", "aws")


def refuse_real(callers: list[Caller], *, allow_real: bool) -> None:
    """Refuse, before anything is sent, a service that is reached at neither a loopback nor a private address."""
    if allow_real:
        return
    for caller in callers:
        if not is_local(caller.endpoint_url):
            raise UsageError(
                f"{caller.service} would be called at {caller.endpoint_url}, which is no loopback or private address:"
                " nothing was published, for the lab's evidence does not belong into a real account",
                hint="name a local endpoint (--endpoint-url or AWS_ENDPOINT_URL), or allow it with allow_real=True",
            )


def is_local(url: str) -> bool:
    """Whether all addresses that the URL leads to are loopback or private, and its name is none of AWS's."""
    host = (urlsplit(url).hostname or "").rstrip(".")
    if not host or any(host == name or host.endswith(f".{name}") for name in _AWS):
        return False
    if host == "localhost" or host.endswith(".localhost"):
        return True
    return all(_private(address) for address in addresses) if (addresses := _addresses(host)) else False


def _addresses(host: str) -> list[str]:
    try:
        return [host] if _is_address(host) else [str(one[4][0]) for one in socket.getaddrinfo(host, None)]
    except (OSError, UnicodeError):
        return []


def _is_address(host: str) -> bool:
    try:
        ip_address(host)
    except ValueError:
        return False
    return True


def _private(address: str) -> bool:
    known = ip_address(address.partition("%")[0])
    return known.is_loopback or (known.is_private and not known.is_unspecified)
