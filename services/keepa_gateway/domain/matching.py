"""Which of the products that came back answer which code that was asked for."""

from collections.abc import Collection, Sequence

import msgspec

from services.keepa_gateway.domain.snapshot import Snapshot


def by_code(codes: Sequence[str], snapshots: Collection[Snapshot]) -> dict[str, tuple[str, ...]]:
    """The ASINs that answer each code; none for a code that Keepa does not know.

    A UPC is an EAN with a zero in front, and some products list none of the codes that Keepa finds
    them by. What fits no code answers the one code that nothing fits: each was paid for.
    """
    found = {
        code: tuple(one.asin for one in snapshots if _bare(code) in map(_bare, one.codes))
        for code in codes
    }
    placed = {asin for asins in found.values() for asin in asins}
    strangers = tuple(one.asin for one in snapshots if one.asin not in placed)
    silent = [code for code, asins in found.items() if not asins]
    if len(silent) == 1:
        found[silent[0]] = strangers
    return found


def named(one: Snapshot, found: dict[str, tuple[str, ...]]) -> Snapshot:
    """The product with the codes that it answers, so that it is not paid for again by those."""
    answered = {code for code, asins in found.items() if one.asin in asins}
    if answered <= one.codes:
        return one
    return msgspec.structs.replace(one, codes=one.codes | answered)


def _bare(code: str) -> str:
    return code.lstrip("0")
