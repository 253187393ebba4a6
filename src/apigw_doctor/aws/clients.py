"""AWS services as AWS's own tools reach them: the default credential chain, profile, region, endpoint overrides.

boto3 is imported when the first client is made, so that nobody pays for it who never asks AWS. An endpoint that is
named here holds for all services; AWS_ENDPOINT_URL and AWS_ENDPOINT_URL_<SERVICE> hold where none is named, with the
service ids of AWS's SDKs: API_GATEWAY, APIGATEWAYV2, CLOUDWATCH, CLOUDWATCH_LOGS, LAMBDA, XRAY.
"""

from types import TracebackType
from typing import Any, Protocol, Self

import msgspec

from apigw_doctor.aws.errors import AwsError, IncompleteError
from apigw_doctor.aws.failures import failure
from apigw_doctor.model.errors import DoctorError, UsageError

Document = dict[str, Any]

#: Attempts in all; a throttled call waits longer before each.
_ATTEMPTS = 4
_CONNECT_S, _READ_S = 5.0, 60.0


class Access(msgspec.Struct, frozen=True, kw_only=True):
    """How AWS is to be reached; None: as the environment and the AWS configuration say."""

    region: str | None = None
    profile: str | None = None
    endpoint_url: str | None = None
    #: where neither `region` nor the environment names one
    default_region: str | None = None


class Caller(Protocol):
    """One AWS service at one endpoint; tests put their own in its place."""

    @property
    def service(self) -> str:
        """The service as boto3 calls it."""

    @property
    def endpoint_url(self) -> str:
        """Where the calls go."""

    @property
    def region(self) -> str:
        """The region that is asked."""

    def call(self, operation: str, *, needs: tuple[str, ...] = (), **params: object) -> Document:
        """The answer of an operation (`put_log_events`), which has the members that it `needs`; else `AwsError`."""


class Callers(Protocol):
    """Services by name, as `Clients` makes them."""

    def service(self, name: str) -> Caller:
        """The caller of one service."""


class Service:
    """A boto3 client behind `Caller`."""

    def __init__(self, client: Any) -> None:  # noqa: ANN401 - boto3 makes its classes at run time
        self._client = client
        self.service: str = client.meta.service_model.service_name
        self.endpoint_url: str = client.meta.endpoint_url
        self.region: str = client.meta.region_name

    def call(self, operation: str, *, needs: tuple[str, ...] = (), **params: object) -> Document:
        """See `Caller`."""
        try:
            answer: Document = getattr(self._client, operation)(**params)
        except Exception as error:
            told = failure(error, self.service, _camel(operation), self.endpoint_url)
            if told is None:
                raise
            raise told from error
        # botocore takes an answer that was cut in the middle for an empty success.
        if lacking := [name for name in needs if name not in answer]:
            raise IncompleteError(
                f"{self.service} {_camel(operation)} at {self.endpoint_url}: the answer lacks {', '.join(lacking)}",
                hint="the connection may have been cut, or a proxy answers for AWS: try again",
            )
        return answer

    def close(self) -> None:
        """Close the connections."""
        self._client.close()


class Clients:
    """Makes one client per service, and closes them all at the end."""

    def __init__(self, access: Access) -> None:
        self._access = access
        self._session: Any = None
        self._made: dict[str, Service] = {}

    def service(self, name: str) -> Service:
        """The client of one service."""
        if name not in self._made:
            self._made[name] = Service(self._client(name))
        return self._made[name]

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for one in self._made.values():
            one.close()

    def _client(self, name: str) -> Any:  # noqa: ANN401 - boto3 makes its classes at run time
        try:
            from botocore import exceptions
            from botocore.config import Config
        except ImportError as error:
            raise DoctorError("boto3 is not installed", hint="pip install 'apigw-doctor[lab]'") from error
        config = Config(
            retries={"mode": "standard", "total_max_attempts": _ATTEMPTS},
            connect_timeout=_CONNECT_S,
            read_timeout=_READ_S,
            user_agent_extra="apigw-doctor",
        )
        access = self._access
        try:
            session = self._session = self._session or _session(access.profile)
            region = access.region or session.region_name or access.default_region
            return session.client(name, region_name=region, endpoint_url=access.endpoint_url, config=config)
        except exceptions.NoRegionError as error:
            raise UsageError("no AWS region is named", hint="name one with --region or AWS_REGION") from error
        except (exceptions.InvalidRegionError, ValueError) as error:
            # ValueError: an endpoint that is no URL
            raise UsageError(f"{name}: {error}") from error
        except exceptions.BotoCoreError as error:
            raise failure(error, name, "client", access.endpoint_url or "AWS") or AwsError(
                f"{name}: {error}"
            ) from error


def _session(profile: str | None) -> Any:  # noqa: ANN401 - boto3 makes its classes at run time
    import boto3
    from botocore.exceptions import ProfileNotFound

    try:
        return boto3.Session(profile_name=profile)
    except ProfileNotFound as error:
        raise UsageError(
            f"there is no AWS profile {profile}", hint="`aws configure list-profiles` names them"
        ) from error


def _camel(operation: str) -> str:
    return "".join(word.capitalize() for word in operation.split("_"))
