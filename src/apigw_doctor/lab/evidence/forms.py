"""Times, ids and names as AWS writes them; made from words, so that they always come out the same.

>>> iso(1773136800120.4), clf_time(1773136800120.4)
('2026-03-10T10:00:00.120Z', '10/Mar/2026:10:00:00 +0000')
>>> whole(28.5), whole(29.5)
(29, 30)
"""

import math
from datetime import UTC, datetime
from email.utils import format_datetime
from hashlib import sha256

from apigw_doctor.lab.setup import LabApi

_MONTHS = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"]


def moment(at: float) -> datetime:
    """Epoch milliseconds as UTC time."""
    return datetime.fromtimestamp(at / 1000.0, UTC)


def stamp(at: float) -> int:
    """The millisecond that CloudWatch files an event under."""
    return math.floor(at)


def iso(at: float) -> str:
    """`2026-03-10T10:00:00.120Z`."""
    time = moment(stamp(at))
    return f"{time:%Y-%m-%dT%H:%M:%S}.{time.microsecond // 1000:03d}Z"


def iso_micros(at: float) -> str:
    """`2026-03-10T10:00:00.120400Z`, as load balancers write it."""
    return f"{moment(at):%Y-%m-%dT%H:%M:%S.%fZ}"


def iso_offset(at: float) -> str:
    """`2026-03-10T10:00:00.120000+00:00`, as the AWS CLI writes it."""
    return moment(stamp(at)).isoformat()


def clf_time(at: float) -> str:
    """`10/Mar/2026:10:00:00 +0000`, the time of `$context.requestTime`; month names never follow the locale."""
    time = moment(at)
    return f"{time:%d}/{_MONTHS[time.month - 1]}/{time:%Y:%H:%M:%S} +0000"


def http_date(at: float) -> str:
    """`Tue, 10 Mar 2026 10:00:00 GMT`."""
    return format_datetime(moment(at), usegmt=True)


def whole(value: float) -> int:
    """A latency in whole milliseconds."""
    return math.floor(value + 0.5)


def digest(*words: object) -> str:
    """32 hex digits that look random and are always the same."""
    return sha256("\x1f".join(map(str, words)).encode()).hexdigest()[:32]


def uuid(*words: object) -> str:
    """A version 4 UUID made from `words`."""
    return f"{(d := digest(*words))[:8]}-{d[8:12]}-4{d[13:16]}-a{d[17:20]}-{d[20:32]}"


def masked(secret: str) -> str:
    """A secret as execution logs show it: asterisks up to the last six characters."""
    return "*" * (len(secret) - 6) + secret[-6:] if len(secret) > 6 else "*" * len(secret)


def execution_group(api: LabApi) -> str:
    """The log group of the stage's execution log."""
    return f"API-Gateway-Execution-Logs_{api.api_id}/{api.stage}"


def access_group(api: LabApi) -> str:
    """The log group that the stage's access log goes to."""
    return f"/aws/apigateway/{api.name}-{api.stage.strip('$')}-access"


def lambda_group(function: str) -> str:
    """The default log group of a function."""
    return f"/aws/lambda/{function}"


def lambda_stream(at: float, version: str, stream: str) -> str:
    """`2026/03/10/[$LATEST]<32 hex>`; a journal may name the stream in full or by its last part."""
    if "[" in stream:
        return stream
    plain = stream if len(stream) == 32 and set(stream) <= set("0123456789abcdef") else digest("stream", stream)
    return f"{moment(at):%Y/%m/%d}/[{version}]{plain}"
