"""What a publication has created, so that it can be taken away again, and what the endpoint could not do."""

import msgspec

from apigw_doctor.aws.clients import Caller, Callers, Document
from apigw_doctor.aws.errors import AwsError, MissingError, NotSupportedError


class Created(msgspec.Struct, frozen=True, kw_only=True):
    """One thing that was created at the endpoint, with the call that deletes it."""

    service: str
    #: `REST API`, `function`, `log group` ...
    what: str
    name: str
    undo: str
    params: dict[str, str]


class Ledger:
    """Written while a publication goes on."""

    def __init__(self) -> None:
        self.created: list[Created] = []
        #: `lambda put_provisioned_concurrency_config` -> how often it was wanted
        self.not_supported: dict[str, int] = {}
        #: what could not be done as it should, in sentences
        self.notes: list[str] = []

    def attempt(
        self, caller: Caller, operation: str, *, needs: tuple[str, ...] = (), **params: object
    ) -> Document | None:
        """The answer of a call; None where the endpoint does not have it, which is counted."""
        try:
            return caller.call(operation, needs=needs, **params)
        except NotSupportedError as error:
            self.lacks(f"{caller.service} {operation}", error.message)
            return None

    def lacks(self, what: str, message: str) -> None:
        """The endpoint does not have `what`; told once, counted each time."""
        if what not in self.not_supported:
            self.note(message)
        self.not_supported[what] = self.not_supported.get(what, 0) + 1

    def note(self, sentence: str) -> None:
        """Tell something once."""
        if sentence not in self.notes:
            self.notes.append(sentence)

    def add(self, caller: Caller, what: str, name: str, undo: str, **params: str) -> None:
        """Something was created."""
        self.created.append(Created(service=caller.service, what=what, name=name, undo=undo, params=params))


class Removed(msgspec.Struct, frozen=True, kw_only=True):
    """What a removal came to."""

    removed: int
    #: what is still there, with the endpoint's words
    left: tuple[tuple[Created, str], ...] = ()


def take_back(created: list[Created], callers: Callers) -> Removed:
    """Delete in the reverse order; what is gone already counts as removed."""
    removed, left = 0, []
    for one in reversed(created):
        try:
            params: Document = dict(one.params)
            callers.service(one.service).call(one.undo, **params)
        except MissingError:
            removed += 1
        except AwsError as error:
            left.append((one, error.message))
        else:
            removed += 1
    return Removed(removed=removed, left=tuple(left))
