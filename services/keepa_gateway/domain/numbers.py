"""The numbers of Keepa's answers, as wide as Keepa's own and as the fields of the contract.

What is wider is no number of Keepa's, and no message holds it: it is left out like any other value
that nobody can read.
"""

from typing import Annotated

from msgspec import Meta

Number = Annotated[int, Meta(ge=-(2**31), le=2**31 - 1)]
Mean = Annotated[float, Meta(ge=-(2**31), le=2**31 - 1)]
"""A mean or a share; some whole numbers are sent in this form, too."""

Id = Annotated[int, Meta(ge=-(2**63), le=2**63 - 1)]
"""An id of a category, or a count that may be as large."""

Byte = Annotated[int, Meta(ge=0, le=255)]
Percent = Annotated[float, Meta(ge=-1_000, le=1_000)]
WholePercent = Annotated[int, Meta(ge=-1_000, le=1_000)]
