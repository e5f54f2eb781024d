"""Writes an export of picks to a file."""

from pathlib import Path

from arbitragevault.autosourcing.v1 import autosourcing_pb2 as autosourcing

from services.cli.patience import patiently
from services.cli.stack import Stack


async def export_picks(
    stack: Stack, job: str, export_format: autosourcing.ExportFormat.ValueType, path: Path
) -> Path:
    """Stream the picks of a job (all jobs when empty) into a file, whole or not at all.

    Raises:
        Refusal: The service refused, or stayed away.
    """
    request = autosourcing.ExportPicksRequest(job=job, format=export_format)
    path.parent.mkdir(parents=True, exist_ok=True)
    unfinished = path.with_name(path.name + ".part")

    async def fetch() -> None:
        with unfinished.open("wb") as file:
            async for piece in stack.autosourcing.ExportPicks(request):
                file.write(piece.content)

    await patiently(fetch)
    return unfinished.replace(path)
