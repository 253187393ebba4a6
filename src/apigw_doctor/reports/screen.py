"""Lines for a terminal: plain text in, wrapped to its width; never read as markup.

Built on rich's `Text`, which takes data as it is. Without colour there is not one escape code in the result.
"""

from collections.abc import Iterable, Sequence
from io import StringIO

from rich.console import Console
from rich.table import Table
from rich.text import Text

from apigw_doctor.reports.escape import clean_lines, one_line
from apigw_doctor.reports.shell import is_command, wrap_command

_NARROWEST = 60


class Screen:
    """Collects the lines of one report."""

    def __init__(self, *, width: int, color: bool) -> None:
        self.width = max(width, _NARROWEST)
        self._file = StringIO()
        self._console = Console(
            file=self._file,
            width=self.width,
            force_terminal=color,
            color_system="standard" if color else None,
            no_color=not color,
            highlight=False,
            markup=False,
            emoji=False,
            legacy_windows=False,
        )

    @property
    def text(self) -> str:
        """What was written, no line ending in a space."""
        return "\n".join(line.rstrip() for line in self._file.getvalue().splitlines()) + "\n"

    def heading(self, title: str, note: str = "") -> None:
        """An empty line, the title in capitals, and what the section is about."""
        self.line()
        self.paragraph(Text.assemble((title.upper(), "bold"), (f"  {one_line(note)}" if note else "", "dim")))

    def line(self, text: str | Text = "", style: str = "") -> None:
        """One line as it is, however long."""
        line = text if isinstance(text, Text) else Text(text, style=style)
        self._console.print(line, soft_wrap=True)

    def paragraph(self, text: str | Text, *, indent: int = 0, hang: int = 0, style: str = "", most: int = 0) -> None:
        """Words wrapped to the width; `hang` indents all lines but the first further, `most` cuts the last."""
        body = text if isinstance(text, Text) else Text(one_line(text), style=style)
        lines = self._wrapped(body, self.width - indent, hang)
        if most and len(lines) > most:
            lines = lines[:most]
            lines[-1].truncate(self.width - indent - hang - 4)
            lines[-1].append(" ...")
        for number, line in enumerate(lines):
            line.rstrip()
            self.line(Text(" " * (indent + (hang if number else 0))) + line)

    def labelled(self, label: str, text: str, *, indent: int, hang: int = 2, most: int = 0) -> None:
        """A paragraph that begins with a word in bold."""
        body = Text.assemble((one_line(label), "bold"), " ", one_line(text))
        self.paragraph(body, indent=indent, hang=hang, most=most)

    def _wrapped(self, body: Text, width: int, hang: int) -> list[Text]:
        """The first line over the full width, the others narrower by `hang`; a word longer than a line is folded."""
        lines = list(body.wrap(self._console, width, overflow="fold")) or [Text()]
        if not hang or len(lines) == 1:
            return lines
        rest = body[len(lines[0].plain) :]
        rest = rest[len(rest.plain) - len(rest.plain.lstrip()) :]
        return [lines[0], *rest.wrap(self._console, width - hang, overflow="fold")]

    def command(self, command: str, *, indent: int) -> None:
        """A command to paste: broken between words only, so that the shell reads the same."""
        for line in wrap_command(clean_lines(command), self.width - indent):
            self.line(" " * indent + line, style="cyan")

    def remedy(self, remedy: str, *, indent: int) -> None:
        """A command to paste, or a sentence where no command can do it."""
        if is_command(remedy):
            self.command(remedy, indent=indent)
        else:
            self.paragraph(remedy, indent=indent)

    def facts(self, rows: Iterable[tuple[str, str]], *, indent: int = 2) -> None:
        """Labels and what is said of each, the labels in one column."""
        told = [row for row in rows if row[1]]
        width = max((len(label) for label, _ in told), default=0) + 2
        for label, value in told:
            self.paragraph(Text.assemble((label.ljust(width), "bold"), one_line(value)), indent=indent, hang=width)

    def table(self, head: Sequence[str], rows: Iterable[Sequence[str | Text]], *, right: Sequence[int] = ()) -> None:
        """Columns under a heading; the columns in `right` hold numbers. Cells are data, cut nowhere."""
        table = Table(box=None, padding=(0, 2, 0, 0), pad_edge=False, header_style="dim")
        table.add_column("")
        for number, name in enumerate(head):
            table.add_column(
                Text(name),
                justify="right" if number in right else "left",
                overflow="fold",
                no_wrap=number in right,
            )
        for row in rows:
            table.add_row(Text(""), *(cell if isinstance(cell, Text) else Text(one_line(cell)) for cell in row))
        self._console.print(table)
