"""How long work tells how far it is, without knowing who watches."""

from typing import Protocol


class Watcher(Protocol):
    """Is told what is being done and how far it is."""

    def phase(self, name: str) -> None:
        """A piece of work begins: "reading", "joining"."""

    def total(self, count: int) -> None:
        """So many bytes on disk are to be read in this phase."""

    def done(self, count: int) -> None:
        """So many of them have been read by now."""


class Silent:
    """Nobody watches."""

    def phase(self, name: str) -> None:
        """Nothing."""

    def total(self, count: int) -> None:
        """Nothing."""

    def done(self, count: int) -> None:
        """Nothing."""
