"""The key of `--anonymize`: beside the case file, never in it.

Addresses are few enough to be tried one by one, so who has the key can undo the hashes. A file that leaves the
company leaves without its key; who has the key can add to it, and the same address gets the same hash.
"""

import hashlib
import hmac
import os
import secrets
from pathlib import Path

from apigw_doctor.model.errors import UsageError

_BYTES = 32


def key_path(case: Path) -> Path:
    """Where the key of a case file lies."""
    return case.with_name(f"{case.name}.key")


def print_of(key: bytes) -> str:
    """Tells keys apart, and tells nothing of them."""
    return hmac.new(key, b"apigw-doctor case file", hashlib.sha256).hexdigest()[:16]


def new_key(case: Path) -> bytes:
    """The key beside the file; it is made where there is none.

    Raises:
        UsageError: when it cannot be written or read.
    """
    path = key_path(case)
    try:
        if path.exists():
            return bytes.fromhex(path.read_text(encoding="ascii").strip())
        key = secrets.token_bytes(_BYTES)
        with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
            file.write(key.hex() + "\n")
    except OSError as error:
        reason = error.strerror or error
        raise UsageError(f"{path}: the key cannot be kept: {reason}", "choose another folder") from error
    except ValueError as error:
        raise UsageError(f"{path} holds no key", "put the right file there, or start another case file") from error
    return key


def known_key(case: Path, wanted: str | None) -> bytes:
    """The key that the hashes in the file were made with.

    Raises:
        UsageError: when it is not there.
    """
    if not key_path(case).exists():
        raise UsageError(
            f"{case} is anonymized and {key_path(case).name} is not beside it: the same address would get another hash",
            "add to it where it was made, or start another case file",
        )
    key = new_key(case)
    if print_of(key) != wanted:
        raise UsageError(f"{key_path(case)} is the key of another case file", "start another case file")
    return key
