"""The same set in other containers: gzip, JSON as `aws logs filter-log-events` prints it, JSON lines."""

from pathlib import Path

FORMS = ("plain", "gzip", "filter-log-events", "json-lines")


def convert(plain: Path, folder: Path, form: str) -> None:
    """Write all files of a plain set in another form."""
    raise NotImplementedError
