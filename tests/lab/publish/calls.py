"""A service that takes calls down."""

from dataclasses import dataclass, field
from typing import Any

from apigw_doctor.aws.clients import Document
from apigw_doctor.aws.errors import AwsError


@dataclass
class FakeCaller:
    """Answers what it is told to, operation by operation; an empty answer otherwise."""

    service: str = "logs"
    answers: dict[str, list[Document | AwsError]] = field(default_factory=dict)
    calls: list[tuple[str, dict[str, Any]]] = field(default_factory=list)
    endpoint_url: str = "http://127.0.0.1:1"
    region: str = "eu-west-1"

    def call(self, operation: str, *, needs: tuple[str, ...] = (), **params: object) -> Document:
        self.calls.append((operation, params))
        planned = self.answers.get(operation)
        answer = planned.pop(0) if planned else {name: [] for name in needs}
        if isinstance(answer, AwsError):
            raise answer
        return answer

    def of(self, operation: str) -> list[dict[str, Any]]:
        """The parameters of all calls of one operation."""
        return [params for name, params in self.calls if name == operation]


@dataclass
class FakeCallers:
    """All services in one."""

    caller: FakeCaller

    def service(self, name: str) -> FakeCaller:
        self.caller.service = name
        return self.caller
