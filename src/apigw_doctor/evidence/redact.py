r"""Secrets out of evidence, people out of evidence that leaves the company, controls out of a terminal.

Data-trace logs print tokens, cookies and bodies in clear, whatever the log level was meant to be.
`redact` replaces what looks like a secret and errs on the side of replacing; request ids, trace
ids, ARNs, log stream names and times are left, because the diagnosis stands on them.

>>> redact("(id) Method request headers: {Authorization=Bearer abc, def, Host=example.test}")
'(id) Method request headers: {Authorization=[REDACTED:authorization], Host=example.test}'
>>> clean_terminal("\x1b[31mfailed\x1b[0m\n")
'failed '
"""

import hashlib
import hmac
import ipaddress
import re
from collections.abc import Callable
from functools import lru_cache
from typing import NamedTuple

from apigw_doctor.evidence.spans import MARKER, Span, named_values, quoted_strings


class _Shape(NamedTuple):
    """A secret that shows by its own form; `needles` are the quick test before the pattern."""

    needles: tuple[str, ...]
    pattern: re.Pattern[str]
    replacement: str


# Every repetition below is either possessive, bounded, or over characters that cannot start the
# same pattern again, so that no text makes them slower than linear.
_SHAPES = (
    _Shape(
        ("PRIVATE KEY",),
        re.compile(
            r"-----BEGIN (?:[A-Z0-9]{1,16} ){0,4}PRIVATE KEY(?: BLOCK)?-----"
            r"(?:[A-Za-z0-9+/=\s\\:,.]|-(?!----))*+(?:-----END [A-Z0-9 ]{1,60}-----)?"
        ),
        "[REDACTED:private-key]",
    ),
    # Base64 of `{"`. 16 characters more than that is longer than any extended request id.
    _Shape(("eyJ",), re.compile(r"eyJ[A-Za-z0-9_-]{16,}+(?:\.[A-Za-z0-9_-]*+){0,4}"), "[REDACTED:jwt]"),
    _Shape(
        ("AKIA", "ASIA", "ABIA", "ACCA"),
        re.compile(r"A(?:KI|SI|BI|CC)A[A-Z0-9]{12,}+"),
        "[REDACTED:access-key]",
    ),
    _Shape(
        ("IQoJb3JpZ2lu", "oGZXIvYXdz", "AQoDYXdz"),
        re.compile(r"(?:IQoJb3JpZ2lu|F[A-Za-z]oGZXIvYXdz|AQoDYXdz)[A-Za-z0-9+/=%_-]*+"),
        "[REDACTED:session-token]",
    ),
    _Shape(
        (
            "gh",
            "xox",
            "xapp",
            "glpat",
            "npm_",
            "k_live",
            "k_test",
            "AIza",
            "ya29",
            "sk-",
            "SG.",
            "hf_",
            "pypi-",
        ),
        re.compile(
            r"(?:gh[pousr]_|github_pat_)[A-Za-z0-9_]{16,}+"
            r"|(?:xox[a-z]|xapp)-[A-Za-z0-9-]{8,}+|glpat-[A-Za-z0-9_-]{16,}+"
            r"|(?:npm|hf)_[A-Za-z0-9]{24,}+|[rs]k_(?:live|test)_[A-Za-z0-9]{10,}+"
            r"|AIza[A-Za-z0-9_-]{30,}+|ya29\.[A-Za-z0-9_-]{16,}+|pypi-[A-Za-z0-9_-]{32,}+"
            r"|(?<![A-Za-z0-9])sk-[A-Za-z0-9_-]{20,}+|SG\.[A-Za-z0-9_-]{16,}+(?:\.[A-Za-z0-9_-]*+)?"
        ),
        "[REDACTED:token]",
    ),
    _Shape(
        ("hooks.slack.com/",),
        re.compile(r"(hooks\.slack\.com/(?:services|workflows|triggers)/)[A-Za-z0-9/_-]{8,}+"),
        r"\1[REDACTED:token]",
    ),
    _Shape(
        ("://",),
        re.compile(
            r"(://[^\s:@/?#\"'<>\\]{0,128}:)(?!\[REDACTED:)"
            r"(?:[^\s/?#\"'<>@]{1,256}(?:@[^\s/?#\"'<>@]{1,256}){0,3}|(?!\d{1,5}[/?#])[^\s?&\"'<>@]{1,256})"
            r"(?=@[A-Za-z0-9\[_])"
        ),
        r"\1[REDACTED:password]",
    ),
    _Shape(("code=",), re.compile(r"([?&]code=)(?!\[REDACTED:)[^&\s\"'<>\\#]{16,}+"), r"\1[REDACTED:token]"),
    _Shape(
        ("@", "%40"),
        re.compile(r"(?<![\w.+-])[\w.+-]++(?:@|%40)[A-Za-z0-9-]+(?:\.[A-Za-z0-9-]+)*\.[A-Za-z][A-Za-z0-9-]+"),
        "[REDACTED:email]",
    ),
    _Shape(
        ("--",),
        re.compile(
            r"(--[\w-]{0,32}(?:password|passwd|token|secret|api-?key) {1,4})(?!-|\[REDACTED:)[^\s\"'\\]{3,}+",
            re.ASCII,
        ),
        r"\1[REDACTED:secret]",
    ),
    # "Bearer token expired" names no token; after anything else that looks like one it is one.
    _Shape(
        ("earer ", "BEARER ", "earer%20"),
        re.compile(
            r"(\b(?:[Bb]earer|BEARER)(?: {1,4}|%20))"
            r"(?!(?:tokens?|auth|authentication|authorization|realm|scheme|error|format|header|from|with)\b)"
            r"[A-Za-z0-9._~+/=-]{6,}+"
        ),
        r"\1[REDACTED:token]",
    ),
    _Shape(
        ("asic ", "BASIC "),
        re.compile(r"(\b(?:[Bb]asic|BASIC) {1,4})(?=[A-Za-z+/]*(?:[0-9=]|[a-z][A-Z]))[A-Za-z0-9+/_-]{8,}+=*+"),
        r"\1[REDACTED:authorization]",
    ),
)

_SECRET_NAMES = re.compile(
    r"""
      (?P<authorization> (?:proxy[-_]?)?authorization | incoming[ ]identity )
    | (?P<cookie> (?:set[-_]?)?cookies? )
    | (?P<secret> secret[-_. ]?access[-_. ]?key | client[-_. ]?secret
        | secret (?:[-_]?(?:string|binary|value|key))? | passphrase )
    | (?P<access_key> access[-_. ]?key (?:[-_. ]?id)? )
    | (?P<private_key> private[-_. ]?key )
    | (?P<api_key> (?:api|subscription|functions|account|shared[-_]?access|encryption|signing|auth|master
        |service|consumer|license)[-_. ]?keys?
        # The usage-plan line of a method that needs no key: "API Key: API Stage: id/prod".
        (?! : [ ]{0,4} API[ ]Stage ) )
    # AWS's own error codes end in the same word.
    | (?P<token> (?<!expired)(?<!invalid)(?<!missingauthentication)(?<!missing)token
        | (?:j|php)sess(?:ion)?id | (?<![A-Za-z])jwt | (?<![A-Za-z])otp | _auth (?![A-Za-z]) )
    | (?P<password> pass(?:word|wd|code) | pwd | (?<![A-Za-z])pass )
    | (?P<signature> signature | (?<![\w-])sig )
    | (?P<credential> credentials? )
    """,
    re.VERBOSE | re.IGNORECASE | re.ASCII,
)
_SECRET_NAME_NEEDLES = (
    "authorization", "cookie", "secret", "key", "token", "sess", "jwt", "otp", "_auth", "pass", "pwd", "sig",
    "credential", "incoming identity",
)  # fmt: skip

#: One search for all of them: most texts hold none, and are done with.
_ANY_SHAPE = re.compile("|".join(re.escape(needle) for shape in _SHAPES for needle in shape.needles))
_ANY_NAME = re.compile("|".join(map(re.escape, _SECRET_NAME_NEEDLES)))

# "cannot read the secret: connect ETIMEDOUT": what follows is the news, not the secret.
_NEWS = re.compile(
    r"(?:E[A-Z_]{4,24}|[A-Za-z.]{0,64}(?:Error|Exception|Timeout)|(?i:connect(?:ion)?|timeout|timed|read|request"
    r"|task|socket|failed|error|unable|could|cannot|the|is|was|not|no|invalid|expired|missing|required))[:,.]?\Z"
)


#: A list that opens at a line's end: its values stand on the next lines.
_LIST_BELOW = re.compile(r"""([:=][ \t]{0,16}\[)[ \t]{0,64}\r?\n[ \t]{0,64}(?=\\{0,64}["'`])""")


def redact(text: str) -> str:
    """Return `text` with every secret replaced by `[REDACTED:<kind>]`.

    Applying it again changes nothing. The time it takes grows with the length of the text, for
    hostile text as well; text without a suspicious word costs two searches.
    """
    place, _, line = text.rpartition(":")
    if line.isdecimal() and line.isascii() and _is_harmless(place):
        return text  # a file and a line of it: no suspicious word holds a colon before a digit, or digits only
    if _ANY_SHAPE.search(text) is not None:
        for shape in _SHAPES:
            if any(needle in text for needle in shape.needles):
                text = shape.pattern.sub(shape.replacement, text)
    if _ANY_NAME.search(text.lower()) is not None:
        if "[" in text and "\n" in text:
            text = _LIST_BELOW.sub(r"\1", text)
        text = _replace_named(text, _SECRET_NAMES, _marker_for)
    return text


@lru_cache(maxsize=4096)
def _is_harmless(text: str) -> bool:
    """Nothing in it looks like a secret or the name of one; the files of many lines are the same few."""
    return _ANY_SHAPE.search(text) is None and _ANY_NAME.search(text.lower()) is None


def _marker_for(span: Span, value: str) -> str | None:
    if span.kind not in ("authorization", "password") and _NEWS.match(value):
        return None
    return f"{span.quote}[REDACTED:{span.kind}]{span.quote}"


def _replace_named(text: str, names: re.Pattern[str], replacement: Callable[[Span, str], str | None]) -> str:
    """Replace the named values; `None` from `replacement` leaves one as it is."""
    pieces: list[str] = []
    done = 0
    for span in named_values(text, names):
        new = replacement(span, text[span.start : span.end])
        if new is not None:
            pieces += (text[done : span.start], new)
            done = span.end
    pieces.append(text[done:])
    return "".join(pieces)


_PRINCIPAL_NAMES = re.compile(
    r"""(?<![A-Za-z0-9])
    (?: (?P<principal> principal(?:[-_]?id)? )
      | (?P<user> (?:cognito:)?user(?:[-_]?(?:name|arn|id))? | caller | sub
          | cognito[-_]?(?:identity[-_]?id|authentication[-_]?provider) ) )
    """,
    re.VERBOSE | re.IGNORECASE | re.ASCII,
)
_PRINCIPAL_NEEDLES = ("principal", "user", "caller", "sub", "cognito")
_IS_HASHED = re.compile(r"(?:principal|ip)-[0-9a-f]{10}|\*+")

_OCTET = r"(?:25[0-5]|2[0-4][0-9]|1[0-9]{2}|[1-9]?[0-9])"
# Versions of browsers have the form of an address.
_IPV4 = re.compile(
    r"(?<![\d.])(?<!Chrome/)(?<!Chromium/)(?<!Edg/)(?<!OPR/)(?<!Version/)"
    rf"{_OCTET}(?:\.{_OCTET}){{3}}(?!\d)(?!\.\d)"
)
_IPV4_HOST = re.compile(rf"(?<![A-Za-z0-9])(?:ip|ec2)-{_OCTET}(?:-{_OCTET}){{3}}(?![0-9-])")
# ARNs hold `::` too, after a letter, a digit or a dash.
_IPV6 = re.compile(r"(?<![\w:.-])(?=[0-9A-Fa-f]{0,4}:)[0-9A-Fa-f:.]{2,64}+(?![\w:-])")
# "address caller user [24/Nov/2026:": the common log format.
_COMMON_LOG = re.compile(r"(?<=[0-9A-Fa-f:] )(\S{1,256}) (\S{1,256}) (?=\[\d\d/[A-Z][a-z]{2}/\d{4}:)")

_QUERY_VALUE = re.compile(
    r"""((?: [?&] | \\u0026 | &amp; ) [\w.~%+\[\]-]{1,128} = )   # ?name=
        (?: [^&\s"'<>\\,;)}] | [,;)}](?!\s|\Z|["'\\,;)}]) )++""",
    re.VERBOSE,
)
_QUERY_NAMES = re.compile(r"(?i)(?P<query>(?:raw[-_]?)?query[-_ ]?string(?:[-_]?parameters)?)")
_FIRST_QUERY_VALUE = re.compile(r"(\A[\w.~%+\[\]-]{1,128}=)[^&]++")
_MAP_QUERY_VALUE = re.compile(r"([\w.~%+\[\]-]{1,128}=)(?:[^,}]|,(?! [\w.~%+\[\]-]{1,128}=))++")


class Anonymizer:
    """Hashes people out of a text that leaves the company, so that patterns survive.

    The same address or principal gives the same hash under one key, and nothing can be computed
    back from it without the key. Use it after `redact`, with one random key for one case file.
    """

    def __init__(self, key: bytes) -> None:
        self._key = key

    def anonymize(self, text: str) -> str:
        """Return `text` with addresses and principals hashed and query values dropped.

        Applying it again with the same key changes nothing.
        """
        text = _drop_query_values(text)
        lowered = text.lower()
        if any(needle in lowered for needle in _PRINCIPAL_NEEDLES):
            text = _replace_named(text, _PRINCIPAL_NAMES, self._principal_for)
        text = _COMMON_LOG.sub(self._hash_common_log, text)
        if ":" in text:
            text = _IPV6.sub(self._hash_ipv6, text)
        text = _IPV4_HOST.sub(self._hash_host, text)
        return _IPV4.sub(lambda match: self._hashed("ip", match[0]), text)

    def _hashed(self, prefix: str, value: str) -> str:
        digest = hmac.new(self._key, value.encode("utf-8", "surrogatepass"), hashlib.sha256)
        return f"{prefix}-{digest.hexdigest()[:10]}"

    def _principal_for(self, span: Span, value: str) -> str | None:
        if _IS_HASHED.fullmatch(value.strip(" \\\"'")):
            return None
        return f"{span.quote}{self._hashed('principal', value)}{span.quote}"

    def _hash_common_log(self, match: re.Match[str]) -> str:
        names = (match[1], match[2])
        return "".join(f"{self._common_log_name(name)} " for name in names)

    def _common_log_name(self, name: str) -> str:
        if name == "-" or _IS_HASHED.fullmatch(name) or MARKER.search(name):
            return name
        return self._hashed("principal", name)

    def _hash_ipv6(self, match: re.Match[str]) -> str:
        for length in (len(match[0]), len(match[0]) - 1):
            try:
                address = ipaddress.IPv6Address(match[0][:length])
            except ValueError:
                continue
            return self._hashed("ip", address.compressed) + match[0][length:]
        return match[0]

    def _hash_host(self, match: re.Match[str]) -> str:
        return self._hashed("ip", match[0].split("-", 1)[1].replace("-", "."))


def _drop_query_values(text: str) -> str:
    if "=" in text:
        text = _QUERY_VALUE.sub(r"\1", text)
    lowered = text.lower()
    if "query" in lowered:
        text = _replace_named(text, _QUERY_NAMES, _without_query_values)
    return text


def _without_query_values(span: Span, value: str) -> str:
    if span.quote:
        return _without_strings(value)
    if value.startswith("{"):
        return "{" + _MAP_QUERY_VALUE.sub(r"\1", value[1:])
    return _FIRST_QUERY_VALUE.sub(r"\1", value)


def _without_strings(value: str) -> str:
    """Empty the quoted strings of an object, its names excepted."""
    pieces: list[str] = []
    done = 0
    for start, end, after in quoted_strings(value):
        if not value[after : after + 8].lstrip().startswith(":"):
            pieces.append(value[done:start])
            done = end
    pieces.append(value[done:])
    return "".join(pieces)


# CSI, OSC and the other string sequences, then two-character escapes; an unfinished one loses
# only its first character, so that it cannot hide what follows.
_ESCAPES = re.compile(
    r"(?:\x1b\[|\x9b)[0-?]*+[ -/]*+[@-~]"
    r"|(?:\x1b[\]PX^_]|[\x9d\x90\x98\x9e\x9f])[^\x07\x1b\x9c]*+(?:\x07|\x1b\\|\x9c)"
    r"|\x1b[ -/]*+[0-~]"
)
_LINE_BREAKS = re.compile(r"\r\n|[\n\t\x0b\x0c\r\x85\u2028\u2029]")
# C0, DEL and C1 controls, direction marks and overrides, invisible characters, lone surrogates.
_UNPRINTABLE = re.compile(
    r"[\x00-\x1f\x7f-\x9f\u061c\u200b\u200e\u200f\u202a-\u202e\u2060-\u2069\ufeff\ud800-\udfff\U000e0000-\U000e007f]"
)


def clean_terminal(text: str) -> str:
    """Return `text` as one line that cannot steer a terminal or mislead its reader.

    Escape sequences, control characters and direction overrides go; a line break or a tab becomes
    a space.
    """
    if text.isascii() and text.isprintable():
        return text
    return _UNPRINTABLE.sub("", _LINE_BREAKS.sub(" ", _ESCAPES.sub("", text)))
