"""Writes an export to a file."""

from collections.abc import AsyncIterable, Callable
from pathlib import Path
from typing import Any

import typer
from arbitragevault.autosourcing.v1 import autosourcing_pb2 as autosourcing

from services.cli.patience import patiently
from services.cli.stack import Stack

FORMATS = {
    ".csv": "EXPORT_FORMAT_CSV",
    ".jsonl": "EXPORT_FORMAT_JSON_LINES",
    ".xlsx": "EXPORT_FORMAT_XLSX",
}
"""The names of the formats, which are the same in both contracts, by the ending of a file."""


def format_of(path: Path) -> str:
    """Name the format that a file's ending asks for.

    Raises:
        typer.BadParameter: There is no such format.
    """
    if path.suffix not in FORMATS:
        allowed = ", ".join(FORMATS)
        raise typer.BadParameter(f"the file must end in one of {allowed}", param_hint="PATH")
    return FORMATS[path.suffix]


async def write_whole(stream: Callable[[], AsyncIterable[Any]], path: Path) -> Path:
    """Write what a stream brings into a file, whole or not at all.

    Raises:
        Refusal: The service refused, or stayed away.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    unfinished = path.with_name(path.name + ".part")

    async def fetch() -> None:
        with unfinished.open("wb") as file:
            async for piece in stream():
                file.write(piece.content)

    try:
        await patiently(fetch)
        return unfinished.replace(path)
    finally:
        unfinished.unlink(missing_ok=True)


async def export_picks(
    stack: Stack,
    job: str,
    export_format: autosourcing.ExportFormat.ValueType,
    path: Path,
    *,
    action: autosourcing.PickAction.ValueType = autosourcing.PICK_ACTION_UNSPECIFIED,
) -> Path:
    """Write the picks of a job (all jobs when empty) into a file.

    Raises:
        Refusal: The service refused, or stayed away.
    """
    request = autosourcing.ExportPicksRequest(job=job, format=export_format, action=action)
    return await write_whole(lambda: stack.autosourcing.ExportPicks(request), path)
