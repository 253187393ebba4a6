"""The words of HTTP clients: what curl, wget, HTTPie, axios, requests and others print when they time out.

>>> timer_ms("curl: (28) Operation timed out after 5001 milliseconds with 0 bytes received")
5001.0
>>> fired("AxiosError: timeout of 5000ms exceeded"), fired("KeyError: 'timeout'")
(True, False)
"""

import re

STATUS_LINE = re.compile(r"\s{0,8}HTTP/\d(?:\.\d)? (\d{3})(?: [^\t\"]{0,80})?\s*")
REQUEST_LINE = re.compile(r"(GET|HEAD|POST|PUT|PATCH|DELETE|OPTIONS) (\S+) HTTP/\d(?:\.\d)?\s*")
HEADER = re.compile(r"\s{0,8}([A-Za-z][A-Za-z0-9_-]{0,80}):(?:\s+(.*))?")
#: lines that curl starts with `* `; enough of them to know a transcript by its first line
CURL_INFO = re.compile(
    r"\* (?:\s*Trying |Connected to |Host |IPv[46]: |Established |ALPN|TLSv|SSL|Server certificate|[uU]sing HTTP"
    r"|\[HTTP/|\[H2|h2 |Connection |Closing |Re-using |Request completely|upload completely|Operation timed out"
    r"|Resolving |Could not resolve|Failed to connect|connect to |Empty reply|Mark bundle|Recv failure|HTTP/2 stream"
    r"|Issue another|processing: |Uses proxy|NPN|CAfile|CApath| CAfile| CApath)"
)
CONNECTED_TO = re.compile(r"\* (?:Connected to|Established connection to) ([\w.-]+)")
CURL_ERROR = re.compile(r"curl: \((\d{1,3})\) (.*)")
CURL_TIMEOUT = 28
COMMAND = re.compile(r"(?:[\w.@~:/-]{0,60}[$#%❯] ?)?(?:time +)?(?P<tool>curl|wget|https?|xh)\b(?P<arguments> .*)")
URL = re.compile(r"https?://([\w.-]+)(?::\d+)?(/[^?\s'\"#]*)?")
GATEWAY_HOST = re.compile(
    r"(?<![\w-])[\w-]{1,63}\.(?:execute-api\.[\w-]{1,30}\.amazonaws\.com(?:\.cn)?|cloudfront\.net)(?![\w-])"
)
AXIOS_URL = re.compile(r"\s*'?(?:url|baseURL|host|hostname|_currentUrl)'?: ")
REAL = re.compile(r"real\s+(?:(\d{1,6})m)?(\d{1,9}(?:[.,]\d+)?)s?\s*")
ZSH_TOTAL = re.compile(r".{0,400}\s[\d.]+s user [\d.]+s system \d+% cpu (?:(\d{1,6}):)?(\d{1,9}(?:\.\d+)?) total\s*")
USER_OR_SYS = re.compile(r"(?:user|sys)\s+(?:\d+m)?\d+(?:[.,]\d+)?s?\s*")
PROGRESS = re.compile(
    r"\s*% Total .*|\s+Dload +Upload .*|\s*\d+ +\d+[kMG]? .*(?:--:--:--|\d:\d\d:\d\d).*|[{}] \[\d+ bytes data\]\s*"
)
TRACE_TIME = re.compile(r"\d{2}:\d{2}:\d{2}\.\d{6} (?:\[[\d-]+\] )?(?=[*<>{}])")
WGET_START = re.compile(r"--\d{4}-\d\d-\d\d \d\d:\d\d:\d\d--  (\S+)")
WGET_STATUS = re.compile(r"HTTP request sent, awaiting response\.\.\. (?:(\d{3})\b.*|)")
WGET_OTHER = re.compile(
    r"(?:Resolving|Connecting to) \S.*|Retrying\..*|Giving up\..*|\d{4}-\d\d-\d\d [\d:]+ ERROR \d{3}: .*"
)
WGET_TIMEOUT = re.compile(
    r"(?:HTTP request sent, awaiting response\.\.\. )?Read error \(Connection timed out\) in headers\."
)
WS_OPEN = re.compile(r"Connected \(press CTRL\+C to quit\)\s*")
WS_CLOSE = re.compile(r"Disconnected \(code: \d+.*")
WS_REFUSED = re.compile(r"[Ee]rror: Unexpected server response: (\d{3})\s*")
#: an exception or error of a client program at the start of a line
PROGRAM_ERROR = re.compile(
    r"(?:Uncaught |panic: |Exception in thread \S+ )?[\w.$]*(?:Timeout|Error|Exception|Expired)\w*(?: \[[\w ]+\])?: "
    r"|(?:Get|Head|Post|Put|Patch|Delete) \"|https?: error: "
)
AXIOS = re.compile(r"(?:Uncaught )?(?:Axios)?Error: timeout of \d+ms exceeded\s*")
_SECONDS = re.compile(r"(?:read|connect) timeout=(\d{1,9}(?:\.\d+)?)|[Rr]equest timed out \((\d{1,9}(?:\.\d+)?)s\)")
_MILLISECONDS = re.compile(r"timed out after (\d{1,9}) (?:milliseconds|ms)|timeout of (\d{1,9})ms exceeded")
_MATCHED_CHARS = 300
_FIRED = re.compile(
    r"timed out|timeout of \d+ms exceeded|ECONNABORTED|ETIMEDOUT|ESOCKETTIMEDOUT|socket hang up|TimeoutException"
    r"|Client\.Timeout exceeded|context deadline exceeded|ReadTimeout|due to timeout|HeadersTimeoutError"
)


def timer_ms(text: str) -> float | None:
    """The length of the client's own timer, where its message names it."""
    if match := _MILLISECONDS.search(text):
        return float(match[1] or match[2])
    if match := _SECONDS.search(text):
        return float(match[1] or match[2]) * 1000.0
    return None


def fired(text: str) -> bool:
    """The message says that the client's own timer ended the call."""
    return _FIRED.search(text) is not None


def seconds_ms(minutes: str | None, seconds: str) -> float:
    """Milliseconds of `0m29.230s`, `29.23` or `0m29,230s`."""
    return round((int(minutes or 0) * 60 + float(seconds.replace(",", "."))) * 1000.0, 3)


def is_program_error(line: str) -> bool:
    """A line that begins as client programs begin the report of an exception."""
    return PROGRAM_ERROR.match(line[:_MATCHED_CHARS]) is not None
