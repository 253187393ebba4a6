"""`--aws-endpoint`: the evidence is at an endpoint once the lab was stopped."""

import re
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator

import pytest
from tests.lab.up.running import up


@pytest.fixture
def moto() -> Iterator[str]:
    """Moto's server, in a process of its own."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = [sys.executable, "-m", "moto.server", "-p", str(port)]
    server = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    url = f"http://127.0.0.1:{port}"
    until = time.monotonic() + 20.0
    while time.monotonic() < until:
        try:
            urllib.request.urlopen(f"{url}/moto-api/", timeout=5).close()
        except OSError:
            time.sleep(0.05)
        else:
            break
    yield url
    server.kill()
    server.wait()


def test_evidence_is_published_when_the_lab_is_stopped(moto: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "test")
    options = ("--scenario", "healthy", "--time-scale", "50", "--quiet", "--aws-endpoint", moto)
    with up(*options) as running:
        assert running.get("/orders/1")[0] == 200
        assert running.stop()[0] == 0, running.output
        line = running.wait_for(f"evidence is at {moto}; now: AWS_ENDPOINT_URL={moto} apigw-doctor diagnose")
    api_id = re.search(r"--api-id (\w+) --stage prod", line)
    assert api_id is not None
    assert f"API-Gateway-Execution-Logs_{api_id[1]}/prod" in log_groups(moto)


def log_groups(url: str) -> str:
    headers = {
        "X-Amz-Target": "Logs_20140328.DescribeLogGroups",
        "Content-Type": "application/x-amz-json-1.1",
        "Authorization": "AWS4-HMAC-SHA256 Credential=test/20260101/eu-west-1/logs/aws4_request, Signature=none",
    }
    with urllib.request.urlopen(urllib.request.Request(url, data=b"{}", headers=headers), timeout=5) as answer:
        return str(answer.read().decode())
