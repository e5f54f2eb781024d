"""Files of products before they are sent."""

from typing import Any, cast

import pytest
from arbitragevault.autosourcing.v1 import autosourcing_pb2 as pb

from services.chassis.errors import Refusal
from services.cli.bringing import MOST_BYTES, identifiers_of

pytestmark = pytest.mark.anyio


async def test_a_file_that_is_too_large_is_not_sent() -> None:
    """A13: beyond what a service reads at all, the transport names no field."""
    nobody = cast("Any", None)
    request = pb.ImportIdentifiersRequest(content=bytes(MOST_BYTES + 1))

    with pytest.raises(Refusal) as refused:
        await identifiers_of(nobody, request)

    (violation,) = refused.value.violations
    assert MOST_BYTES == 1_000_000
    assert (violation.field, violation.description) == (
        "content",
        "must be at most 1,000,000 bytes; the file has 1,000,001",
    )
