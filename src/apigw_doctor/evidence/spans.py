r"""Where the value of a named thing begins and ends, in the shapes in which logs print pairs.

One scanner serves every shape: `{k=v, k=v}` maps of execution logs, JSON and JSON inside JSON,
Python and Node prints, header lines, URL queries, forms, connection strings and XML. It goes
through the text once; a value that was yielded is never looked at again.

>>> import re
>>> text = '/x?password=d&user=e {Authorization=Bearer a, b, Host=x} \\"token\\": \\"c\\"'
>>> names = re.compile("(?P<word>(?i:authorization|token|password))")
>>> [text[span.start : span.end] for span in named_values(text, names)]
['d', 'Bearer a, b', 'c']
"""

import re
from collections.abc import Iterator
from typing import NamedTuple

#: What a replaced value looks like; text that is already marked is left as it is.
MARKER = re.compile(r"\[REDACTED:[a-z-]{1,32}\]")

#: Kinds whose values hold spaces and commas by nature, so that they run to the end of the line.
SPACED_KINDS = frozenset({"authorization", "cookie", "principal"})
#: Kinds whose values are one word even where a header's value would run to the end of the line.
WORD_KINDS = frozenset({"user"})


class Span(NamedTuple):
    """A value at `text[start:end]`; `quote` is what to put around a replacement, often nothing."""

    kind: str
    start: int
    end: int
    quote: str = ""


_SEPARATOR = re.compile(
    r"""
    (?P<close>\\{0,64}["'`]|%22)?                   # end of a quoted name
    (?: [ \t]{0,16} (?P<sign> =>|:=|={1,3}|:(?!:)|%3[DdAa](?:%22)?) [ \t]{0,16}
        (?: \r?\n [ \t]{1,64} (?=\\{0,64}["'`\[{]) )?  # Node breaks long values
      | (?P<xml>>)
      | (?(close)                                    # ('name', 'value'); "name": .., "value": ..
          (?P<list> ,\s{0,8}
            (?P<har> \\{0,64}["'][Vv]alue\\{0,64}["'] \s{0,8} : \s{0,8} )?
            (?= [bBuU]?\\{0,64}["'] ) )
        | (?!) )
    )
    """,
    re.VERBOSE,
)
_OPENING_QUOTE = re.compile(r"""[bBuUrRfF]?(?P<escapes>\\{0,64})(?P<quote>["'`])""")
_QUOTE_STOPS = {quote: re.compile(rf"(?P<run>(?<!\\)\\*+){quote}|\r?\n|[ ]?\[TRUNCATED\]") for quote in ('"', "'", "`")}
# What may follow a quote or bracket that ends an unquoted value rather than being part of it.
_END = r"""(?=[\s,;:}\])"'`\\&<>]|\Z)"""
_KEY = r"[A-Za-z][\w.-]{0,63}"
_ALWAYS = rf"""\r?\n|[ ]?\[TRUNCATED\]|[}}\])]{_END}|\\{{0,64}}["'`]{_END}"""
# `Digest username="x", response="y"`, `Cookie: a="b c"`: quotes that belong to the value; so do marks.
_INNER = rf'(?P<inner>=\\{{0,64}}"[^"\n]*"|{MARKER.pattern})'
_HEADER = (
    r"(?i:accept|age|allow|authorization|cache-control|connection|cookie|date|etag|expires|forwarded|from"
    r"|host|last-modified|location|origin|pragma|priority|proxy-authorization|range|referer|retry-after"
    r"|server|set-cookie|te|trailer|transfer-encoding|upgrade|user-agent|vary|via|dnt|traceparent"
    r"|(?:x|sec|cf|cloudfront|content|access-control|if|accept|keep|strict|www|alt|upgrade)-[\w-]{1,64})"
)
_PAIR_STOPS = re.compile(rf'{_INNER}|{_ALWAYS}|,[ \t]{{1,4}}(?={_KEY}=(?!"))')
_LINE_STOPS = re.compile(rf"{_INNER}|{_ALWAYS}|,[ \t]{{1,4}}(?={_KEY}:[ ])")
# Cookies joined by commas look like further pairs, so only a header's name ends them.
_COOKIE_STOPS = re.compile(rf"{_INNER}|{_ALWAYS}|,[ \t]{{1,4}}(?={_HEADER}[=:])")
_WORD_STOPS = re.compile(
    rf"(?P<inner>{MARKER.pattern})|{_ALWAYS}|\s|</|\\u0026|&amp;"
    rf"""|[,;&](?=\s|\Z|["'\\]|{_KEY}[=:])|;(?=[A-Za-z][\w .-]{{0,40}}=)"""
)
_ENCODED_STOPS = re.compile(rf"(?P<inner>{MARKER.pattern})|{_ALWAYS}|\s|&|%26|%22|%7[Dd]|%2[Cc]")
_LINE_START = re.compile(r"[ \t>*<+-]{0,64}[\"']?\Z")
_ANY_QUOTE = re.compile(r"""\\{0,64}(?P<quote>["'`])""")
_BRACKETS = re.compile(r"""\\{0,64}(?P<quote>["'`])|(?P<bracket>[\[\]{}])|(?P<line>\r?\n)|[ ]\[TRUNCATED\]""")
_NAME_HEAD = re.compile(r"[\w.-]{0,64}\Z")
_EMPTY_QUOTE = re.compile(r"""["'`](?:[,;}\])&]|\s*\Z|\r?\n)""")
_SAYS_NOTHING = frozenset({"", "-", "null", "None", "nil", "true", "false", "True", "False", "undefined"})


def named_values(text: str, names: re.Pattern[str]) -> Iterator[Span]:
    """Yield the values that follow a name matched by `names`, from left to right.

    The kind of a span is the name of the group of `names` that matched, with `-` for `_`.
    Values that say nothing (`-`, `null`, ...) and values already marked are left out.
    """
    position = 0
    line = _Line(text)
    while (name := names.search(text, position)) is not None:
        line.advance(position, name.start())
        position = name.end()
        separator = _SEPARATOR.match(text, position)
        if separator is None:
            continue
        span = _value(text, name, separator, line)
        if span is None:
            continue
        line.skip_to(span.end)
        position = max(span.end, position)
        if not _is_marked(text, span):
            yield span


def quoted_strings(text: str) -> Iterator[tuple[int, int, int]]:
    """Yield start and end of the content of each quoted string, and where the text goes on."""
    position = 0
    while (opening := _ANY_QUOTE.search(text, position)) is not None:
        end, after = _closing(text, opening.end(), opening["quote"], len(opening[0]) - 1)
        yield opening.end(), end, after
        position = max(opening.end(), after)


class _Line:
    """What stands before a name on its line, values that were taken out excepted."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._read = 0
        self.start = 0
        self.in_braces = False

    def advance(self, start: int, end: int) -> None:
        """Take in `text[start:end]`; the pieces taken in never overlap."""
        start = max(start, self._read)
        newline = self._text.rfind("\n", start, end)
        if newline >= 0:
            self.start, self.in_braces, start = newline + 1, False, newline + 1
        self.in_braces = self.in_braces or self._text.find("{", start, end) >= 0
        self._read = max(self._read, end)

    def skip_to(self, end: int) -> None:
        """Leave a value out; what follows it is not at the start of a line."""
        self._read = max(self._read, end)

    def is_header_line(self, name_start: int) -> bool:
        """Tell whether only indentation and the arrows of `curl -v` stand before the name."""
        before = self._text[max(self.start, name_start - 65) : name_start]
        return name_start - self.start <= 65 and _LINE_START.match(before) is not None

    def is_map_entry(self, name_start: int) -> bool:
        """Tell whether the name follows `{` or a comma inside a brace on the same line."""
        before = self._text[max(0, name_start - 8) : name_start].rstrip()
        return self.in_braces and before.endswith(("{", ","))


def _value(text: str, name: re.Match[str], separator: re.Match[str], line: _Line) -> Span | None:
    kind = _kind(name)
    start = separator.end()
    if separator["xml"] and text[name.start() - 1 : name.start()] != "<":
        return None
    opening = _OPENING_QUOTE.match(text, start)
    if opening is not None:
        return _quoted(text, kind, opening, separator)
    if text[start : start + 1] in ("[", "{") and MARKER.match(text, start) is None:
        return _bracketed(text, kind, start)
    return _bare(text, kind, start, _stops(text, name, separator, line))


def _kind(name: re.Match[str]) -> str:
    return (name.lastgroup or "").replace("_", "-")


def _quoted(text: str, kind: str, opening: re.Match[str], separator: re.Match[str]) -> Span | None:
    start = opening.end()
    # In `"/path?sig=", ...` the quote ends the text around an empty value.
    if separator["sign"] == "=" and not separator["close"] and _EMPTY_QUOTE.match(text, start - 1):
        return None
    end, after = _closing(text, start, opening["quote"], len(opening["escapes"]))
    if text[start:end] in _SAYS_NOTHING:
        return None
    # ["token", "x"] is a pair; {"type": "token", "x": ...} is not.
    if separator["list"] and not separator["har"] and text[after : after + 8].lstrip().startswith(":"):
        return None
    return Span(kind, start, end)


def _closing(text: str, start: int, quote: str, escapes: int) -> tuple[int, int]:
    """Return where a quoted value ends and where the text after its closing quote begins.

    A quote inside text that was escaped `n` times follows `2n + 1` backslashes at least; a quote
    that follows fewer closes this text or one around it. Without one, the line ends the value.
    """
    for stop in _QUOTE_STOPS[quote].finditer(text, start):
        run = stop["run"]
        if run is None:
            return stop.start(), stop.start()
        rest = len(run) % (2 * escapes + 2)
        if rest <= escapes:
            return stop.end() - 1 - rest, stop.end()
    return len(text), len(text)


def _bracketed(text: str, kind: str, start: int) -> Span | None:
    """Take a list or an object as one value; a list keeps its brackets, so JSON stays JSON."""
    end, closed, quote = _matching_bracket(text, start)
    if text[start:end] in ("[]", "{}"):
        return None
    if text[start] == "[" and closed:
        return Span(kind, start + 1, end - 1, quote)
    return Span(kind, start, end, quote)


def _matching_bracket(text: str, start: int) -> tuple[int, bool, str]:
    """Return the end of the bracket at `start`, whether it is closed, and the quote it uses."""
    depth, quote, position = 0, "", start
    while (token := _BRACKETS.search(text, position)) is not None:
        position = token.end()
        if token["quote"]:
            quote = quote or token[0]
            position = _closing(text, position, token["quote"], len(token[0]) - 1)[1]
        elif token["bracket"]:
            marker = MARKER.match(text, token.start())
            if marker is not None:
                position = marker.end()
                continue
            depth += 1 if token["bracket"] in "[{" else -1
            if depth == 0:
                return position, True, quote
        elif not token["line"] or not quote:
            return token.start(), False, quote
    return len(text), False, quote


def _head(text: str, end: int) -> str:
    head = _NAME_HEAD.search(text[max(0, end - 64) : end])
    return head[0] if head is not None else ""


def _stops(text: str, name: re.Match[str], separator: re.Match[str], line: _Line) -> re.Pattern[str]:
    kind = _kind(name)
    sign = separator["sign"] or ""
    # `x-api-key` is matched as `api-key`, `DB_PASSWORD` as `PASSWORD`.
    start = name.start() - len(_head(text, name.start()))
    if sign.startswith("%"):
        return _ENCODED_STOPS
    if kind == "cookie":
        return _COOKIE_STOPS
    if sign == "=" and (kind in SPACED_KINDS or line.is_map_entry(start)):
        return _PAIR_STOPS
    if sign == ":" and kind not in WORD_KINDS and (kind in SPACED_KINDS or line.is_header_line(start)):
        return _LINE_STOPS
    return _WORD_STOPS


def _bare(text: str, kind: str, start: int, stops: re.Pattern[str]) -> Span | None:
    end = next((stop.start() for stop in stops.finditer(text, start) if stop["inner"] is None), len(text))
    return None if text[start:end].strip() in _SAYS_NOTHING else Span(kind, start, end)


def _is_marked(text: str, span: Span) -> bool:
    return MARKER.fullmatch(text[span.start : span.end].strip(" \t\r\n\\\"'`")) is not None
