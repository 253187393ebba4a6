"""Ids in the shapes that API Gateway gives them; one seed gives the same ids in the same order.

>>> ids = Ids(7)
>>> len(ids.extended_id()), ids.extended_id()[-1]
(16, '=')
>>> read_trace("Self=1-00000000-0a;root=1-5c7674f4-A3491d0a9c8012c191821b83;Sampled=0")
('1-5c7674f4-a3491d0a9c8012c191821b83', False)
>>> read_trace("nonsense")
(None, True)
"""

import random
import re
from base64 import urlsafe_b64encode
from uuid import UUID

#: What access logs show where a caller sent a request id of its own that is no UUID (AWS: API Gateway variables).
REPLACED = "UUID_REPLACED_INVALID_REQUEST_ID"
_UUID = re.compile(r"[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}", re.IGNORECASE)
_ROOT = re.compile(r"1-[0-9a-f]{8}-[0-9a-f]{24}", re.IGNORECASE)


class Ids:
    """Makes ids from a seed."""

    def __init__(self, seed: int) -> None:
        self._random = random.Random(f"gateway ids {seed}")  # noqa: S311 - ids must come out the same again

    def request_id(self) -> str:
        """UUID of a REST request."""
        return str(UUID(bytes=self._random.randbytes(16), version=4))

    def extended_id(self) -> str:
        """`K2G9wEbUoAMEvag=`: 88 bits; also the ids of HTTP and WebSocket APIs, of connections and of messages."""
        return urlsafe_b64encode(self._random.randbytes(11)).decode()

    def trace_root(self, now_ms: float) -> str:
        """`1-5c7674f4-a3491d0a9c8012c191821b83`: the second, and 96 bits."""
        return f"1-{int(now_ms / 1000):08x}-{self._random.randbytes(12).hex()}"

    def segment_id(self) -> str:
        """16 hex digits."""
        return self._random.randbytes(8).hex()


def own_request_id(sent: str | None) -> str | None:
    """The request id that the caller's `x-amzn-RequestId` makes; None: the caller sent none."""
    if not sent:
        return None
    return sent.lower() if _UUID.fullmatch(sent) else REPLACED


def read_trace(header: str | None) -> tuple[str | None, bool]:
    """Root and sampling decision of an `X-Amzn-Trace-Id`; what it does not say is None and True."""
    fields = dict(part.strip().partition("=")[::2] for part in (header or "").split(";"))
    known = {name.lower(): value for name, value in fields.items()}
    root = known.get("root", "")
    return root.lower() if _ROOT.fullmatch(root) else None, known.get("sampled") != "0"
