"""Profiles: saved values for jobs. None of it spends tokens."""

from typing import Annotated
from uuid import uuid4

import typer
from arbitragevault.autosourcing.v1 import autosourcing_pb2 as autosourcing
from arbitragevault.discovery.v1 import discovery_pb2 as discovery
from google.protobuf.field_mask_pb2 import FieldMask

from services.cli import criteria, options, show
from services.cli.asking import asking, console, first_of, show_all, show_one
from services.cli.gathering import gathers
from services.cli.patience import patiently
from services.cli.stack import Stack

app = typer.Typer(help="Saved values for jobs.", no_args_is_help=True)

Name = Annotated[str, typer.Argument(help="Id of the profile, such as textbooks-conservateur.")]
FIELDS = (
    "display_name",
    "filter",
    "strategy",
    "max_products",
    "minimum_roi_percent",
    "minimum_velocity_score",
    "minimum_stability_score",
    "minimum_confidence_score",
    "max_picks",
)


def values(  # noqa: PLR0917 - one option each
    strategy: options.Strategy = "",
    max_products: options.Products = 0,
    min_roi: options.MinRoi = 0,
    min_velocity: options.MinVelocity = 0,
    min_stability: Annotated[
        float, typer.Option(min=0, max=100, help="Least stability of a pick.")
    ] = 0,
    min_confidence: Annotated[
        float, typer.Option(min=0, max=100, help="Least confidence of a pick.")
    ] = 0,
    max_picks: Annotated[
        int, typer.Option(min=0, max=1000, help="Picks at most; 0: no limit.")
    ] = 0,
) -> autosourcing.Profile:
    """Build a profile without its name and filter."""
    return autosourcing.Profile(
        strategy=options.strategy_named(strategy),
        max_products=max_products,
        minimum_roi_percent=min_roi,
        minimum_velocity_score=min_velocity,
        minimum_stability_score=min_stability,
        minimum_confidence_score=min_confidence,
        max_picks=max_picks,
    )


@app.command("list")
def listed(*, limit: options.Limit = 100, json: options.Json = False) -> None:
    """List profiles by name."""

    async def ask(stack: Stack) -> None:
        request = autosourcing.ListProfilesRequest()
        found = await first_of(stack.autosourcing.ListProfiles, request, "profiles", limit)
        show_all(found, show.profiles(found), json=json)

    asking(ask)


@app.command("show")
def shown(name: Name, *, json: options.Json = False) -> None:
    """Show one profile."""

    async def ask(stack: Stack) -> None:
        found = await _read(stack, name)
        show_one(found, show.profile(found), json=json)

    asking(ask)


@app.command()
@gathers(searched=criteria.product_filter, profile=values)
def add(
    searched: discovery.DiscoveryFilter,
    profile: autosourcing.Profile,
    called: Annotated[str, typer.Argument(help="Its name for people.")],
    profile_id: Annotated[
        str, typer.Option("--id", help="Its id; without it, made from its name.")
    ] = "",
    *,
    json: options.Json = False,
) -> None:
    """Save a profile."""
    profile.display_name = called
    if searched.ByteSize():
        profile.filter.CopyFrom(searched)
    request = autosourcing.CreateProfileRequest(
        request_id=str(uuid4()), profile_id=profile_id, profile=profile
    )

    async def ask(stack: Stack) -> None:
        answer = await patiently(lambda: stack.autosourcing.CreateProfile(request))
        show_one(answer.profile, show.profile(answer.profile), json=json)

    asking(ask)


@app.command()
@gathers(searched=criteria.product_filter, profile=values)
def change(
    searched: discovery.DiscoveryFilter,
    profile: autosourcing.Profile,
    name: Name,
    called: Annotated[str, typer.Option(help="Its name for people.")] = "",
    clear: options.Clear = None,
    *,
    json: options.Json = False,
) -> None:
    """Change what is given of a profile; the rest stays, and so do jobs that were made with it."""
    profile.name, profile.display_name = options.full("profiles", name), called
    if searched.ByteSize():
        profile.filter.CopyFrom(searched)
    fields = options.changed(profile, clear, FIELDS)

    async def ask(stack: Stack) -> None:
        stored = await _read(stack, name)
        profile.etag = stored.etag
        criteria.amend(profile, stored.filter, clear)
        request = autosourcing.UpdateProfileRequest(
            request_id=str(uuid4()), profile=profile, update_mask=FieldMask(paths=fields)
        )
        answer = await patiently(lambda: stack.autosourcing.UpdateProfile(request))
        show_one(answer.profile, show.profile(answer.profile), json=json)

    asking(ask)


@app.command()
def delete(name: Name) -> None:
    """Delete a profile that no schedule names."""
    request = autosourcing.DeleteProfileRequest(
        request_id=str(uuid4()), name=options.full("profiles", name)
    )

    async def ask(stack: Stack) -> None:
        await patiently(lambda: stack.autosourcing.DeleteProfile(request))
        console.print(f"{request.name} is gone.")

    asking(ask)


async def _read(stack: Stack, name: str) -> autosourcing.Profile:
    request = autosourcing.GetProfileRequest(name=options.full("profiles", name))
    return (await patiently(lambda: stack.autosourcing.GetProfile(request))).profile
