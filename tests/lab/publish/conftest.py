"""moto's server on the loopback interface; boto3 speaks to it over HTTP."""

from collections.abc import Iterator
from pathlib import Path
from urllib.request import Request, urlopen

import pytest
from tests.aws.models import shared_models

ENVIRONMENT = {
    "AWS_ACCESS_KEY_ID": "test",
    "AWS_SECRET_ACCESS_KEY": "test",
    "AWS_EC2_METADATA_DISABLED": "true",
}
CLEARED = ("AWS_PROFILE", "AWS_SESSION_TOKEN", "AWS_REGION", "AWS_DEFAULT_REGION", "AWS_ENDPOINT_URL")


@pytest.fixture(autouse=True, scope="package")
def _models() -> Iterator[None]:
    with shared_models():
        yield


@pytest.fixture(scope="session")
def moto_url() -> Iterator[str]:
    """Where the server listens."""
    # Here, for moto imports the X-Ray SDK, which opens a socket and never closes it.
    from aws_xray_sdk.core import xray_recorder
    from moto.server import ThreadedMotoServer

    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    yield f"http://{host}:{port}"
    server.stop()
    xray_recorder.emitter._socket.close()


@pytest.fixture(scope="module")
def endpoint(moto_url: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """An empty endpoint for one module, with made-up credentials in the environment."""
    none: Path = tmp_path_factory.mktemp("aws")
    with pytest.MonkeyPatch.context() as patch:
        for name in CLEARED:
            patch.delenv(name, raising=False)
        for name, value in ENVIRONMENT.items():
            patch.setenv(name, value)
        patch.setenv("AWS_CONFIG_FILE", str(none / "config"))
        patch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(none / "credentials"))
        empty(moto_url)
        yield moto_url


def empty(url: str) -> None:
    """Forget everything at the endpoint."""
    with urlopen(Request(f"{url}/moto-api/reset", method="POST"), timeout=10) as answer:
        answer.read()
