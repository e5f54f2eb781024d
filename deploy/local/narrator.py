"""What a person sees: one calm line per part, news as it happens, and what to try next."""

from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from rich.console import Console
from rich.text import Text

from deploy.local.parts import Part

NAME_WIDTH = 14
ADDRESS_WIDTH = 18
SLOW_SECONDS = 2.0


class Narrator:
    """Lines about progress go to standard output; what went wrong goes to standard error."""

    def __init__(self) -> None:
        self._out = Console(highlight=False, soft_wrap=True)
        self._errors = Console(stderr=True, highlight=False, soft_wrap=True)

    def opening(self, data: Path, *, temporary: bool) -> None:
        """Say where everything is kept."""
        kept = "goes away at the end" if temporary else "kept"
        self._print(Text.assemble(("ArbitrageVault", "bold"), f"  data in {data} ({kept})"))

    def started(self, part: Part, seconds: float) -> None:
        """Say that a part answers, where, and how long that took."""
        self._line("✓", part.name, part.address, f"pid {part.pid}", seconds)

    def given(self, name: str, source: str) -> None:
        """Say that somebody else's server takes a part's place."""
        self._line("✓", name, "not ours", source)

    def done(self, name: str, what: str, seconds: float) -> None:
        """Say that a step which leaves nothing running is over."""
        self._line("✓", name, what, "", seconds)

    def stopped(self, name: str, seconds: float) -> None:
        """Say that a part took its time; a quick end needs no line."""
        if seconds > SLOW_SECONDS:
            self._line("·", name, "stopped", "", seconds)

    def news(self, sentence: str) -> None:
        """Tell of something that was not planned."""
        self._print(Text.assemble(("! ", "yellow"), sentence), error=True)

    def failed(self, sentence: str) -> None:
        """Say in one sentence why it ends here."""
        self._print(Text.assemble(("✗ ", "red"), sentence), error=True)

    def say(self, sentence: str) -> None:
        """Say anything else."""
        self._print(Text(sentence))

    def invitation(self, lines: Sequence[str], data: Path) -> None:
        """Print what a person may want to do with a running stack."""
        self._print(Text())
        for line in lines:
            self._print(Text(f"  {line}", style="cyan"))
        self._print(Text())
        self._print(Text(f"  addresses and process ids: {data / 'stack.json'}", style="dim"))
        self._print(Text(f"  logs: {data / 'logs'}", style="dim"))
        self._print(Text("Everything is up. Ctrl-C stops it.", style="bold"))

    def _line(
        self, mark: str, name: str, place: str, detail: str, seconds: float | None = None
    ) -> None:
        took = "" if seconds is None else f"{seconds:.2f} s"
        self._print(
            Text.assemble(
                (f"{mark} ", "green"),
                name.ljust(NAME_WIDTH),
                f"{place.ljust(ADDRESS_WIDTH)} {took.rjust(7)}",
                (f"  {detail}".rstrip(), "dim"),
            )
        )

    def _print(self, line: Text, *, error: bool = False) -> None:
        """Print, unless the terminal is gone: whoever closed it still wants everything stopped."""
        with suppress(OSError):
            (self._errors if error else self._out).print(line)
