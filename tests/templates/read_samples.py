"""The sample templates beside this file, and where a text stands in them."""

from pathlib import Path

from apigw_doctor.templates.model import Api, Record, Route, Template
from apigw_doctor.templates.read import read_template

SAMPLES = Path(__file__).parent / "samples"


def sample(name: str, **parameters: str) -> Template:
    """Read one of the samples."""
    return read_template(SAMPLES / name, parameters)


def route(api: Api, key: str) -> Route:
    """The route with this key, such as `GET /orders`."""
    return next(one for one in api.routes if one.key == key)


def place(name: str, line: str, value: str) -> tuple[int, int]:
    """Line and column of a value in the only line that holds the text `line`."""
    text = (SAMPLES / name).read_text(encoding="utf-8-sig")
    (number,) = (at for at, one in enumerate(text.splitlines()) if line in one)
    here = text.splitlines()[number]
    return number + 1, here.index(value, here.index(line)) + 1


def at(record: Record, field: str) -> tuple[int, int]:
    """Line and column of a field."""
    mark = record.marks[field]
    return mark.line, mark.column
