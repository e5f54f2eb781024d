"""Everything that can be asked of the gateway, as the servicer holds it."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from arbitragevault.budget.v1 import budget_pb2 as budget

from services.keepa_gateway.ports import Gate, Packer
from services.keepa_gateway.usecases.balance import Balance
from services.keepa_gateway.usecases.estimates import Estimates
from services.keepa_gateway.usecases.lists import Lists
from services.keepa_gateway.usecases.products import Products
from services.keepa_gateway.usecases.way import Way


@dataclass(frozen=True, slots=True, kw_only=True)
class UseCases:
    """The use cases, and what they are described by."""

    products: Products
    lists: Lists
    estimates: Estimates
    balance: Balance
    gate: Gate
    way: Way
    account: Callable[[], Awaitable[budget.Account]]
    packer: Packer
    per_minute: int
