r"""Commands to paste: long ones go over several lines without changing what the shell does.

>>> print("\n".join(wrap_command("aws lambda update-function-configuration --function-name f --timeout 28", 50)))
aws lambda update-function-configuration \
    --function-name f --timeout 28
>>> is_command("aws xray batch-get-traces"), is_command("give the access log too")
(True, False)
"""

import re
from collections.abc import Iterator

_PROGRAMS = re.compile(
    r"(?:\w+=\S+ )*(?:aws|apigw-doctor|cat|cdk|curl|dig|docker|export|for|jq|kubectl|nc|openssl|sam|terraform) "
)
_CONTINUED = " \\"
_INDENT = "    "
_STARTS_GROUP = ("-", "&&", "||", "|", ";", ">")


def is_command(text: str) -> bool:
    """Whether a remedy is something to paste, not a sentence."""
    return _PROGRAMS.match(text) is not None


def wrap_command(command: str, width: int) -> list[str]:
    """Break a command between its words, options staying with their values where they fit.

    No word is ever broken: one longer than `width` stays as long as it is. A command that cannot be split
    safely (a comment, a here-document, an open quote, lines of its own) is returned as it is.
    """
    if "\n" in command or len(command) <= width:
        return command.split("\n")
    words = _words(command)
    if words is None:
        return [command]
    lines: list[str] = []
    line = ""
    for piece in _pieces(words, width - len(_INDENT) - len(_CONTINUED)):
        if line and len(line) + 1 + len(piece) > width - len(_CONTINUED):
            lines.append(line + _CONTINUED)
            line = _INDENT + piece
        else:
            line = f"{line} {piece}" if line else piece
    return [*lines, line]


def _pieces(words: list[str], width: int) -> Iterator[str]:
    """An option with its values as one piece, or word by word where that is too long."""
    group: list[str] = []
    for word in [*words, ""]:
        if group and (not word or word.startswith(_STARTS_GROUP)):
            joined = " ".join(group)
            yield from [joined] if len(joined) <= width else group
            group = []
        group.append(word)


def _words(command: str) -> list[str] | None:
    """The words between unquoted spaces, each exactly as written; None where splitting is not safe."""
    words, word = [], ""
    open_marks: list[str] = []
    rest = iter(command)
    before = ""
    for char in rest:
        if char == "\\" and open_marks[-1:] != ["'"]:
            word += char + next(rest, "")
        elif char in " \t" and not open_marks:
            words.append(word)
            word = ""
        else:
            word += char
            _track(open_marks, char, before)
        before = char
    words = [item for item in [*words, word] if item]
    if open_marks or any(item.startswith(("#", "<<")) for item in words):
        return None
    return words


def _track(open_marks: list[str], char: str, before: str) -> None:
    """Keep the stack of quotes and brackets that are open after `char`."""
    top = open_marks[-1] if open_marks else ""
    if top == "'":
        if char == "'":
            open_marks.pop()
    elif (char == top and char in '"`') or (char == ")" and top == "("):
        open_marks.pop()
    elif char in '"`' or (char == "'" and top != '"') or (char == "(" and (top != '"' or before == "$")):
        open_marks.append(char)
