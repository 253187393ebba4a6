"""Only loopback and private endpoints are written to."""

import socket
from typing import Any

import pytest
from tests.lab.publish.calls import FakeCaller

from apigw_doctor.lab.publish.safety import is_local, refuse_real
from apigw_doctor.model.errors import UsageError


@pytest.mark.parametrize(
    "url",
    [
        "http://127.0.0.1:5000",
        "http://127.9.9.9",
        "http://[::1]:4566/",
        "http://localhost:4566",
        "http://s3.localhost:4566",
        "http://10.1.2.3",
        "http://172.20.0.5:4566",
        "https://192.168.1.9",
        "http://[fd00::7]:4566",
    ],
)
def test_these_are_local(url: str) -> None:
    assert is_local(url)


@pytest.mark.parametrize(
    "url",
    [
        "https://logs.eu-west-1.amazonaws.com",
        "https://vpce-0a1b.logs.eu-west-1.vpce.amazonaws.com",
        "https://logs.eu-west-1.api.aws",
        "https://logs.cn-north-1.amazonaws.com.cn",
        "https://LOGS.EU-WEST-1.AMAZONAWS.COM.",
        "https://52.94.5.1",
        "http://0.0.0.0:5000",
        "http://[2600:1f18::1]",
        "127.0.0.1:5000",
        "",
    ],
)
def test_these_are_not(url: str) -> None:
    assert not is_local(url)


def resolving(monkeypatch: pytest.MonkeyPatch, **names: list[str]) -> None:
    def getaddrinfo(host: str, *_: Any) -> list[Any]:
        if host not in names:
            raise socket.gaierror(-2, "Name or service not known")
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, 0)) for address in names[host]]

    monkeypatch.setattr(socket, "getaddrinfo", getaddrinfo)


def test_a_name_counts_by_all_its_addresses(monkeypatch: pytest.MonkeyPatch) -> None:
    resolving(monkeypatch, moto=["172.18.0.2"], mixed=["172.18.0.2", "52.94.5.1"])
    assert is_local("http://moto:5000")
    assert not is_local("http://mixed:5000")
    assert not is_local("http://unknown:5000")


def test_a_name_of_aws_inside_a_vpc_is_still_aws(monkeypatch: pytest.MonkeyPatch) -> None:
    resolving(monkeypatch, **{"logs.eu-west-1.amazonaws.com": ["10.0.4.7"]})
    assert not is_local("https://logs.eu-west-1.amazonaws.com")


def test_it_can_be_allowed_in_so_many_words() -> None:
    real = FakeCaller(endpoint_url="https://logs.eu-west-1.amazonaws.com")
    with pytest.raises(UsageError, match="nothing was published") as told:
        refuse_real([FakeCaller(), real], allow_real=False)
    assert "allow_real=True" in told.value.hint
    refuse_real([real], allow_real=True)
