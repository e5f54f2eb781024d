"""How a store tells others of a fact in the transaction that makes it true."""

from collections.abc import Callable
from typing import TypeAlias

from google.protobuf.message import Message

from services.keepa_gateway.domain.facts import Fact

Announce: TypeAlias = Callable[[Fact], Message]
"""Gives the event of a fact, for the outbox."""
