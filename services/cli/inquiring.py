"""Questions to Keepa: what all of them say, and what they cost."""

from typing import Any
from uuid import uuid4

import typer
from arbitragevault.keepa_gateway.v1 import keepa_gateway_pb2 as keepa
from google.protobuf.duration_pb2 import Duration
from google.protobuf.json_format import Parse, ParseError
from google.protobuf.message import Message

from services.cli import options, show
from services.cli.asking import progress
from services.cli.patience import patiently
from services.cli.stack import Stack


def asked(domain: str, *, refresh: bool) -> dict[str, Any]:
    """Say what every paid request says: its id, the marketplace, and how old an answer may be."""
    asked: dict[str, Any] = {
        "request_id": str(uuid4()),
        "domain": options.named(keepa.Domain, "DOMAIN_", domain, "--domain"),
    }
    return {**asked, "max_age_duration": Duration()} if refresh else asked


def selected(file: typer.FileText | None, into: Message) -> Any:
    """Read a selection in the JSON of the contract, beside what options say of it."""
    if file is None:
        return into
    try:
        return Parse(file.read(), into)
    except ParseError as error:
        name = into.DESCRIPTOR.name
        raise typer.BadParameter(f"is no {name}: {error}", param_hint="--selection") from None


async def tell_cost(stack: Stack, **asked: Any) -> None:
    """Say what a request costs before it is made."""
    question = keepa.EstimateCostRequest(**asked)
    answer = await patiently(lambda: stack.keepa_gateway.EstimateCost(question))
    progress.print(show.cost(answer))
