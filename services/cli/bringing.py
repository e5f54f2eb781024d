"""Lists of products that a person brings."""

import typer
from arbitragevault.autosourcing.v1 import autosourcing_pb2 as autosourcing

from services.cli import show
from services.cli.asking import EXIT_REFUSED, progress
from services.cli.patience import patiently
from services.cli.stack import Stack


async def identifiers_of(stack: Stack, content: bytes) -> list[autosourcing.Identifier]:
    """Read a file's products with their own prices, and tell every line that is none.

    Raises:
        typer.Exit: It holds no product; a job without any would search for others.
        Refusal: The file cannot be read, or the service stayed away.
    """
    request = autosourcing.ImportIdentifiersRequest(content=content)
    answer = await patiently(lambda: stack.autosourcing.ImportIdentifiers(request))
    for line in answer.rejected_lines:
        progress.print(f"line {line.line}: {line.reason}", style="yellow")
    progress.print(show.imported(answer))
    if not answer.identifiers:
        raise typer.Exit(EXIT_REFUSED)
    return [each.identifier for each in answer.identifiers]
