"""The code of a function as the zip file that Lambda takes."""

import io
import zipfile
from pathlib import Path

from apigw_doctor.lab.setup import LabFunction

#: CreateFunction takes 50 MB directly (Lambda quotas); the code of a lab's function is small.
MAX_BYTES = 5_000_000
_SKIPPED = frozenset({"__pycache__", "node_modules", ".git", ".venv"})
_DATE = (2026, 1, 1, 0, 0, 0)


def zipped(function: LabFunction) -> bytes:
    """The function's files; a handler that answers 200 where there are none, or too many."""
    files = list(_files(function.code))
    if not files or sum(path.stat().st_size for path, _ in files) > MAX_BYTES:
        return _zip({f"{_module(function)}.py": _placeholder(function)})
    return _zip({name: path.read_bytes() for path, name in files})


def _files(code: Path) -> list[tuple[Path, str]]:
    if code.is_file():
        return [(code, code.name)]
    if not code.is_dir():
        return []
    found = sorted(path for path in code.rglob("*") if path.is_file())
    names = [(path, path.relative_to(code)) for path in found]
    return [(path, name.as_posix()) for path, name in names if not _SKIPPED.intersection(name.parts)]


def _module(function: LabFunction) -> str:
    return function.handler.rpartition(".")[0].replace(".", "/") or "app"


def _placeholder(function: LabFunction) -> bytes:
    name = function.handler.rpartition(".")[2]
    return f'def {name}(event, context):\n    return {{"statusCode": 200, "body": "{{}}"}}\n'.encode()


def _zip(files: dict[str, bytes]) -> bytes:
    """The same bytes for the same files."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in files.items():
            entry = zipfile.ZipInfo(name, _DATE)
            entry.external_attr = 0o644 << 16
            archive.writestr(entry, data, zipfile.ZIP_DEFLATED)
    return buffer.getvalue()
