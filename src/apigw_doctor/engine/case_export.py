"""A case file's tables as Parquet, for every other tool."""

import tempfile
from pathlib import Path

from apigw_doctor.engine.case_open import attach, connection, text_of
from apigw_doctor.engine.case_tables import tables

#: It is ours to read alone; `verdicts` and `coverage` tell the same in columns.
_NOT_EXPORTED = frozenset({"answer"})


def export(path: Path, folder: Path) -> list[Path]:
    """Write every table of the case file at `path` to a Parquet file in `folder`.

    Raises:
        CaseFileError: when it cannot be opened, or the folder cannot be written to.
    """
    written = []
    with tempfile.TemporaryDirectory(prefix="apigw-doctor-") as spill, connection(Path(spill)) as link:
        attach(link, path, folder, write=False, new=None)
        for name in tables():
            if name not in _NOT_EXPORTED:
                target = folder / f"{name}.parquet"
                link.execute(f"COPY {name} TO {text_of(str(target))} (FORMAT parquet, COMPRESSION zstd)")
                written.append(target)
    return written
