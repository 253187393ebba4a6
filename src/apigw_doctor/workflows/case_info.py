"""What a case file holds, for who has never seen it."""

from pathlib import Path

import msgspec

from apigw_doctor import __version__
from apigw_doctor.engine.case_file import Source, opened


class Info(msgspec.Struct, frozen=True, kw_only=True):
    """The file in short."""

    file: str
    schema_version: int
    tool_version: str
    created_at: str
    #: what was taken out of every text
    redaction: str
    batches: int
    sources: list[Source]
    pending: list[str]
    rows: dict[str, int]
    headline: str | None


_OURS = ("case_file", "answer", "pending", "batches", "sources")


def info_of(path: Path) -> Info:
    """Look into a case file.

    Raises:
        CaseFileError: when it cannot be opened or used.
    """
    with opened(path) as file:
        counts = file.counts()
        answer = file.answer(__version__)
        return Info(
            file=str(path),
            schema_version=file.about.schema_version,
            tool_version=file.about.tool_version,
            created_at=file.about.created_at,
            redaction=file.about.redaction,
            batches=counts["batches"],
            sources=file.sources(),
            pending=file.pending(),
            rows={name: count for name, count in counts.items() if name not in _OURS},
            headline=None if answer is None else answer.summary.headline,
        )
