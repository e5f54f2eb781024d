"""Files of identifiers that callers send."""

import asyncio

from arbitragevault.autosourcing.v1 import autosourcing_pb2 as pb

from services.autosourcing.domain import imports
from services.chassis.errors import invalid_field


async def read(request: pb.ImportIdentifiersRequest) -> pb.ImportIdentifiersResponse:
    """What the file holds; a large one is read beside the loop, so nobody waits for it.

    Raises:
        Refusal: The content is no text, is empty, or has no column of the given name.
    """
    return _answer(await asyncio.to_thread(_read, request))


def _read(request: pb.ImportIdentifiersRequest) -> imports.Import:
    try:
        return imports.read(
            request.content,
            identifier_column=request.identifier_column,
            cost_column=request.cost_column,
        )
    except imports.NoTextError as error:
        raise invalid_field("content", str(error)) from None
    except imports.NoColumnError as error:
        raise invalid_field(error.field, str(error)) from None


def _answer(found: imports.Import) -> pb.ImportIdentifiersResponse:
    return pb.ImportIdentifiersResponse(
        identifiers=[
            pb.ImportedIdentifier(
                identifier=pb.Identifier(value=asin, buy_cents=each.item.buy_cents or None),
                line=each.line,
                text=each.text,
            )
            for asin, each in found.products.items()
        ],
        rejected_lines=[
            pb.RejectedLine(line=each.line, text=each.text, reason=each.reason)
            for each in found.rejected
        ],
        line_count=found.lines,
        duplicate_count=found.duplicates,
        rejected_count=found.rejections,
    )
