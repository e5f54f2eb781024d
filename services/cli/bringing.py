"""Lists of products that a person brings."""

import typer
from arbitragevault.autosourcing.v1 import autosourcing_pb2 as autosourcing
from buf.validate import validate_pb2

from services.chassis.errors import invalid_field
from services.cli import show
from services.cli.asking import EXIT_REFUSED, progress
from services.cli.patience import patiently
from services.cli.stack import Stack

_CONTENT = autosourcing.ImportIdentifiersRequest.DESCRIPTOR.fields_by_name["content"]
MOST_BYTES = _CONTENT.GetOptions().Extensions[validate_pb2.field].bytes.max_len
"""What the contract takes; a larger file is not even sent."""


async def identifiers_of(
    stack: Stack, request: autosourcing.ImportIdentifiersRequest
) -> list[autosourcing.Identifier]:
    """Read a file's products with their own prices, and tell every line that is none.

    Raises:
        typer.Exit: It holds no product; a job without any would search for others.
        Refusal: The file is too large or cannot be read, or the service stayed away.
    """
    if len(request.content) > MOST_BYTES:
        told = f"must be at most {MOST_BYTES:,} bytes; the file has {len(request.content):,}"
        raise invalid_field("content", told)
    answer = await patiently(lambda: stack.autosourcing.ImportIdentifiers(request))
    for line in answer.rejected_lines:
        progress.print(f"line {line.line}: {line.reason}", style="yellow")
    progress.print(show.imported(answer))
    if not answer.identifiers:
        raise typer.Exit(EXIT_REFUSED)
    return [each.identifier for each in answer.identifiers]
