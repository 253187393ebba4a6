"""What a reader has to say beside what it read: a line passed over, a place where nothing could be read."""

import msgspec

#: A line longer than this is no log line (CloudWatch takes 1 MB an event); JSON documents may be longer.
MAX_LINE_BYTES = 8 * 1024 * 1024


class TooLong(msgspec.Struct, frozen=True):
    """A line that was passed over for its length; `number` is 0 where whoever reads on counts the lines."""

    number: int
    length: int


class Cut(msgspec.Struct, frozen=True):
    """Here something could not be read, after that many lines (0 where whoever reads on counts them).

    It is the end, unless `resumed`: then a part is missing here, and what follows is whole again.
    """

    lines: int
    reason: str
    resumed: bool = False


def may_be_long(head: bytes) -> bool:
    """Only a JSON document may be longer than `MAX_LINE_BYTES`."""
    return head.lstrip()[:1] in (b"{", b"[")


def why(error: OSError) -> str:
    """The reason of a `Cut`."""
    return f"cannot be read: {error.strerror or error}"
