"""Which road each input takes, by its first lines: uniform files go the fast roads, all others the tolerant one."""

import codecs
import re
from enum import StrEnum

import msgspec

from apigw_doctor.sources.access_layout import AccessLayout, access_layout_of, wrapped_access_layout_of
from apigw_doctor.sources.event_layout import EventLayout, event_layout_of
from apigw_doctor.sources.file_reader import GROUND_TRUTH
from apigw_doctor.sources.lambda_layout import LambdaLayout, lambda_layout_of
from apigw_doctor.sources.layout import KEY, Layout, layout_of
from apigw_doctor.sources.reading import Input, head, plain_size

#: Compressed logs are about this much larger than their files.
_INFLATED = 9
#: What only other logs write; a file that mixes them in is read line by line.
_OTHER_LOGS = re.compile(
    rb"(?:START|END|REPORT) RequestId: |INIT_START |\"type\": ?\"platform\.|^#Fields", re.MULTILINE
)


class Road(StrEnum):
    """How an input is read."""

    EXECUTION = "execution"
    ACCESS = "access"
    LAMBDA = "lambda"
    TOLERANT = "tolerant"


AnyLayout = Layout | LambdaLayout | AccessLayout | EventLayout


class Surveyed(msgspec.Struct, frozen=True):
    """One input with what its head told."""

    source: Input
    road: Road
    #: bytes on disk, and of text as far as can be told
    size: int
    text_size: int
    #: it can be read in parts
    parts: bool
    layout: AnyLayout | None = None

    def tolerantly(self) -> "Surveyed":
        """The same input, to be read line by line."""
        return msgspec.structs.replace(self, road=Road.TOLERANT, layout=None)


def survey(source: Input) -> Surveyed:
    """Look at the head of one input.

    Raises:
        OSError: when it cannot be opened.
    """
    plain = plain_size(source)
    size = plain if plain is not None else _size(source)
    text_size = plain if plain is not None else size * _INFLATED
    layout = _layout(head(source), source.name)
    parts = plain is not None and not (isinstance(layout, EventLayout) and not layout.by_lines)
    return Surveyed(source, _road(layout), size, text_size, parts, layout)


def _size(source: Input) -> int:
    with source.open() as file:
        return file.seek(0, 2)


def _layout(start: bytes, name: str) -> AnyLayout | None:
    if name.rpartition("/")[2] == GROUND_TRUTH:
        return None
    if start.removeprefix(codecs.BOM_UTF8).lstrip()[:1] in (b"{", b"["):
        return access_layout_of(start) or wrapped_access_layout_of(start) or event_layout_of(start, name)
    if (found := layout_of(start)) is not None and _OTHER_LOGS.search(start) is None:
        return found
    return lambda_layout_of(start, name)


def _road(layout: AnyLayout | None) -> Road:
    match layout:
        case EventLayout():
            return Road(layout.kind)
        case Layout():
            return Road.EXECUTION
        case LambdaLayout():
            return Road.LAMBDA
        case AccessLayout():
            return Road.ACCESS
        case None:
            return Road.TOLERANT


def is_lambda_log(one: Surveyed) -> bool:
    """The input begins with lines of Lambda's platform, and with none of the gateway."""
    start = head(one.source)
    return _PLATFORM.search(start) is not None and KEY.search(start) is None


_PLATFORM = re.compile(rb"(?:START|END|REPORT) RequestId: |INIT_START |platform\.(?:start|report|initStart)")
