"""What a file of identifiers holds, as callers see it."""

from arbitragevault.autosourcing.v1 import autosourcing_pb2 as pb

from services.autosourcing.domain import imports


def identifiers(found: imports.Import) -> pb.ImportIdentifiersResponse:
    """Its products, and each line that is none."""
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
