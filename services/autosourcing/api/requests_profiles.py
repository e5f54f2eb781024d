"""Profiles of the contract as domain values: new ones, and changes of saved ones."""

import re
import unicodedata
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime

from arbitragevault.autosourcing.v1 import autosourcing_pb2 as pb

from services.autosourcing.api import requests, requests_masks, requests_specs
from services.autosourcing.domain.spec import Criteria, Profile, Thresholds
from services.chassis.errors import invalid_field

_LONGEST_ID = 64
_MOST_PRODUCTS = 1000
_BLANK = Profile("", "", Criteria(), "", 0, Thresholds(), 0, datetime.min.replace(tzinfo=UTC))

Setter = Callable[[Profile, pb.Profile], Profile]


def new(request: pb.CreateProfileRequest) -> Profile:
    """The profile that is asked for; when it is made is for the database to say.

    Raises:
        Refusal: Its name for people holds nothing that an id could be made of.
    """
    profile_id = request.profile_id or _id(request.profile.display_name)
    if not profile_id:
        raise invalid_field("profile_id", "is needed: none can be made from the display_name")
    return replace(requests_masks.made(_BLANK, request.profile, _SETTERS, _SETTERS), id=profile_id)


def change(request: pb.UpdateProfileRequest) -> Callable[[Profile], Profile]:
    """The change that is asked for; without a mask, of every field that is not empty.

    Raises:
        Refusal: The mask names a part of a field, or takes the name for people away.
    """
    given = request.profile
    names = requests_masks.named(request, given, _SETTERS)
    if "display_name" in names and not given.display_name:
        raise invalid_field("profile.display_name", "must not be empty")
    return lambda saved: requests_masks.made(saved, given, names, _SETTERS)


def _id(display_name: str) -> str:
    """``Livres d'été`` as ``livres-d-ete``."""
    plain = unicodedata.normalize("NFKD", display_name.lower()).encode("ascii", "ignore").decode()
    return re.sub("[^a-z0-9]+", "-", plain).strip("-")[:_LONGEST_ID].strip("-")


def _filter(saved: Profile, given: pb.Profile) -> Profile:
    """How many products there are is the profile's own word, so the filter keeps none."""
    found = requests_specs.criteria(given.filter, "profile.filter")
    products = saved.products or min(found.products, _MOST_PRODUCTS)
    return replace(saved, criteria=replace(found, products=0), products=products)


def _threshold(name: str, field: str) -> Setter:
    def setter(saved: Profile, given: pb.Profile) -> Profile:
        least = requests_specs.decimal(getattr(given, field))
        return replace(saved, thresholds=replace(saved.thresholds, **{name: least}))

    return setter


_SETTERS: dict[str, Setter] = {
    "display_name": lambda saved, given: replace(saved, display_name=given.display_name),
    "max_products": lambda saved, given: replace(saved, products=given.max_products),
    "filter": _filter,
    "strategy": lambda saved, given: replace(
        saved, strategy=requests.strategy(given.strategy) or "BALANCED"
    ),
    "minimum_roi_percent": _threshold("roi_percent", "minimum_roi_percent"),
    "minimum_velocity_score": _threshold("velocity", "minimum_velocity_score"),
    "minimum_stability_score": _threshold("stability", "minimum_stability_score"),
    "minimum_confidence_score": _threshold("confidence", "minimum_confidence_score"),
    "max_picks": lambda saved, given: replace(saved, max_picks=given.max_picks),
}
