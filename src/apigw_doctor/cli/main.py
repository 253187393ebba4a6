"""The command line: options in, report and exit status out.

Commands live in modules of their own and are imported when they are called, so that `--help` stays quick.
"""

import importlib
import signal
import sys
from typing import Any

import click

from apigw_doctor import __version__

_COMMANDS = {
    "diagnose": (
        "apigw_doctor.cli.diagnose",
        "Say for every failed request whose clock ran out and who spent the time.",
    ),
    "why": ("apigw_doctor.cli.why", "Draw the timeline of one request, with the proof and the fix."),
    "case": ("apigw_doctor.cli.case", "Look into case files, merge two, export one, print their tables."),
    "lab": ("apigw_doctor.cli.lab", "A local API that times out like the real one, and knows the truth."),
    "explain": ("apigw_doctor.cli.explain", "Print what a cause code means and how it is decided."),
}


class _Lazy(click.Group):
    """Knows its commands by name and imports them late."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(_COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in _COMMANDS:
            return None
        command = importlib.import_module(_COMMANDS[cmd_name][0]).command
        assert isinstance(command, click.Command)  # noqa: S101 - our own table
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl([(name, text) for name, (_, text) in _COMMANDS.items()])


@click.group(
    cls=_Lazy, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100, "terminal_width": 100}
)
@click.version_option(__version__, prog_name="apigw-doctor")
def cli() -> None:
    """Why did the API answer 504 (or 503, 502, 500, or a WebSocket error frame)?

    Reads exported logs of an API behind Amazon API Gateway and answers for every failed request: whose clock
    ran out, who spent the time, and what would have saved it - with the proof. Nothing leaves this machine.

    \b
    Examples:
      apigw-doctor diagnose logs/               a folder of exports
      pbpaste | apigw-doctor diagnose -         a paste
      apigw-doctor why 1f0c2a77 logs/           one request
      apigw-doctor explain cold-start           what a cause means
    """  # noqa: D301 - click wants the control character, not two characters


def main(arguments: list[str] | None = None) -> None:
    """Entry point; expected failures become one sentence and exit status 2."""
    from apigw_doctor.model.errors import DISK_FULL, DoctorError

    signal.signal(signal.SIGTERM, _end)
    try:
        sys.exit(cli.main(args=arguments, prog_name="apigw-doctor", standalone_mode=False) or 0)
    except click.exceptions.Abort:
        _fail("interrupted", "", 130)
    except click.ClickException as error:
        error.show()
        sys.exit(2)
    except DoctorError as error:
        _fail(error.message, error.hint, 2)
    except BrokenPipeError:
        sys.stderr.close()
        sys.exit(0)
    except OSError as error:
        if error.errno not in DISK_FULL:
            raise
        _fail(f"the disk is full: {error}", f"temporary files go to {_temporary()}; TMPDIR names another", 2)


def _end(number: int, frame: object) -> None:
    """Told to end: temporary files are removed and workers stopped on the way."""
    sys.exit(128 + number)


def _temporary() -> str:
    import tempfile

    return tempfile.gettempdir()


def _fail(message: str, hint: str, status: int) -> Any:  # noqa: ANN401 - never returns
    click.echo(f"apigw-doctor: {message}" + (f"\n  {hint}" if hint else ""), err=True)
    sys.exit(status)
