"""botocore's models of services, read once for all clients of a test run: reading them is most of a client's cost."""

from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache

import pytest
from botocore import session


@contextmanager
def shared_models() -> Iterator[None]:
    """Every session made meanwhile has the same loader, which keeps what it has read."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(session, "create_loader", cache(session.create_loader))
        yield
