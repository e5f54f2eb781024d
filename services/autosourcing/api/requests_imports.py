"""Files of identifiers that callers send, as what they hold."""

import asyncio

from arbitragevault.autosourcing.v1 import autosourcing_pb2 as pb

from services.autosourcing.domain import imports
from services.chassis.errors import invalid_field


async def read(request: pb.ImportIdentifiersRequest) -> imports.Import:
    """What the file holds; a large one is read beside the loop, so nobody waits for it.

    Raises:
        Refusal: The content is no text, is empty, or has no column of the given name.
    """
    return await asyncio.to_thread(_read, request)


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
