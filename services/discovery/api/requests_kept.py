"""Saved niches, and changes of them, as values of the domain."""

from arbitragevault.discovery.v1 import discovery_pb2 as pb

from services.chassis.errors import invalid_field
from services.discovery.api import requests
from services.discovery.domain.kept import Amendment, Draft

NICHE_FIELDS = ("display_name", "filter", "strategy", "notes")


def draft(message: pb.SavedNiche) -> Draft:
    """Read a niche to be saved; what is absent is left open."""
    return Draft(
        display_name=message.display_name,
        filter=requests.filter_of(message.filter) if message.HasField("filter") else None,
        strategy=requests.strategy(message.strategy) if message.strategy else None,
        notes=message.notes,
        template=message.template,
    )


def amendment(request: pb.UpdateSavedNicheRequest) -> Amendment:
    """Read which fields change to what; without a mask, those that are not empty."""
    message, mask = request.saved_niche, set(request.update_mask.paths)
    if not mask <= set(NICHE_FIELDS):
        raise invalid_field("update_mask", f"may name {', '.join(NICHE_FIELDS)}, each as a whole")
    if not mask:
        mask = {field.name for field, _ in message.ListFields()}
    if "display_name" in mask and not message.display_name:
        raise invalid_field("saved_niche.display_name", "must not be empty")
    return Amendment(
        display_name=message.display_name if "display_name" in mask else None,
        filter=requests.filter_of(message.filter) if "filter" in mask else None,
        strategy=requests.strategy(message.strategy) if "strategy" in mask else None,
        notes=message.notes if "notes" in mask else None,
    )
