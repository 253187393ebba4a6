"""What can go wrong in a way that the user can mend.

DoctorError             one sentence and a hint; exit status 2
+-- UsageError          the call's words are off
+-- NothingReadable     no such file, empty, binary: there is nothing to judge
"""

import errno

#: The disk, or what a user may take of it, is full: no fault of the input.
DISK_FULL = frozenset((errno.ENOSPC, getattr(errno, "EDQUOT", errno.ENOSPC)))


class DoctorError(Exception):
    """An expected failure, told in one sentence with what to do about it."""

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint


class UsageError(DoctorError):
    """The command was called in a way that cannot be answered."""


class NothingReadable(DoctorError):  # noqa: N818 - a state of the input, told as such
    """The input holds nothing that could be evidence."""
