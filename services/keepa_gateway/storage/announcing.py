"""How a store tells others of a fact in the transaction that makes it true."""

from collections.abc import Awaitable, Callable
from typing import TypeAlias

from sqlalchemy.ext.asyncio import AsyncConnection

from services.keepa_gateway.domain.facts import Fact

Announce: TypeAlias = Callable[[AsyncConnection, Fact], Awaitable[None]]
"""Puts a fact into the outbox inside the running transaction."""
