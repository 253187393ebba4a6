"""Commands to paste mean the same to a shell after they were broken over lines."""

import subprocess

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from apigw_doctor.diagnosis.remedies import REMEDIES, Place, shell
from apigw_doctor.model.terms import ApiType
from apigw_doctor.reports.shell import is_command, wrap_command
from tests.reports import sample

WORDS = st.text(st.sampled_from("ab -|<>&;'\"`$(){}#\\*?~!é"), min_size=1, max_size=30)


def arguments(words: str) -> list[str]:
    """What a shell makes of the words."""
    script = f"printf '%s\\0' {words}"
    done = subprocess.run(["/bin/sh", "-c", script], capture_output=True, check=True, encoding="utf-8")
    return done.stdout.split("\0")


@settings(max_examples=60, deadline=None)
@given(st.lists(WORDS, min_size=3, max_size=12))
def test_the_shell_reads_the_same_words_from_quoted_data(words: list[str]) -> None:
    """Whatever a log put into a quoted word, breaking the line does not let it out."""
    command = " ".join(shell(word) for word in words)
    lines = wrap_command(command, 40)
    assert arguments("\n".join(lines)) == arguments(command)


@pytest.mark.parametrize(
    "command",
    [
        "--pattern '\"a b\"' --name \"x y $(printf '%s' 'p q' `printf r`) z\" --other a\\ b 'it'\\''s'",
        '--one 1 --two \'[{"op":"replace","value":"a b"}]\' --three 3 --four "a \' b" --five 5',
    ],
)
def test_the_shell_reads_the_same_words_from_substitutions(command: str) -> None:
    """Quotes inside substitutions inside quotes are followed."""
    lines = wrap_command(command, 30)
    assert len(lines) > 1
    assert arguments("\n".join(lines)) == arguments(command)


@pytest.mark.parametrize("api_type", [ApiType.REST, ApiType.HTTP])
@pytest.mark.parametrize("name", sorted(REMEDIES))
def test_every_remedy_wraps_to_valid_shell(name: str, api_type: ApiType) -> None:
    """`sh -n` accepts it, it is known as a command, and only single words are wider than asked."""
    place = Place(api_type=api_type, api_id="k9x2m7p4q1", stage="prod", method="GET", route="/a b/{id}", function="f")
    command = REMEDIES[name].command(place)
    if command is None:
        return
    lines = wrap_command(command, 95)
    subprocess.run(["/bin/sh", "-n", "-c", "\n".join(lines)], check=True)
    assert is_command(command)
    assert all(len(line) <= 95 or line.lstrip()[0] in "'\"" for line in lines)
    assert "".join(line.removesuffix("\\").strip() for line in lines).replace(" ", "") == command.replace(" ", "")


@pytest.mark.parametrize(
    "command",
    [
        "aws logs tail " + "x" * 30 + " # and a comment that must not swallow a line",
        "cat << END " + "y" * 60,
        "aws logs tail 'an open quote " + "z" * 50,
    ],
)
def test_what_cannot_be_split_safely_stays_on_one_line(command: str) -> None:
    """A backslash there would change the meaning."""
    assert wrap_command(command, 40) == [command]


def test_lines_that_a_command_already_has_are_kept() -> None:
    """A loop or a here-document comes with its own line breaks."""
    command = "for id in a b; do\n  aws xray get-trace --id $id\ndone"
    assert wrap_command(command, 20) == command.split("\n")


def test_a_continued_line_ends_in_the_backslash_itself() -> None:
    """A space after it would end the command there."""
    lines = wrap_command(sample.RAISE_TIMEOUT, 60)
    assert all(line.endswith(" \\") for line in lines[:-1])
    assert not lines[-1].endswith("\\")
