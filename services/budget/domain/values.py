"""Frozen values, made and changed in C: thousands of them are, in every second under load.

A dataclass of as many fields does the same thirty times slower, and the ledger does little else.
"""

import msgspec

replace = msgspec.structs.replace
"""Returns a copy of a value with some fields changed."""


class Value(msgspec.Struct, frozen=True, gc=False):
    """Equal by content; a subclass states `frozen=True` once more, for the type checker.

    A value is made of older ones and so is never part of a cycle: the collector, which took half
    of the time of a decision, need not look at it.
    """
