"""Niches: what there is to look for, what you saved of it, and how good it is today."""

from typing import Annotated
from uuid import uuid4

import typer
from arbitragevault.discovery.v1 import discovery_pb2 as discovery
from google.protobuf.field_mask_pb2 import FieldMask

from services.cli import criteria, options, show
from services.cli.asking import asking, console, first_of, progress, show_all, show_one
from services.cli.criteria import Age
from services.cli.gathering import gathers
from services.cli.patience import patiently
from services.cli.stack import Stack

app = typer.Typer(help="Niches: what to look for, and how good it is today.")

FIELDS = ("display_name", "filter", "strategy", "notes")
Json = options.Json
Saved = Annotated[str, typer.Argument(help="bookmarks/<uuid>")]
Kind = Annotated[
    str, typer.Option(help="Only templates of smart_velocity or textbooks; without it, all.")
]
Notes = Annotated[str, typer.Option(help="Your own words.")]


@app.callback(invoke_without_command=True)
def group(context: typer.Context, *, json: Json = False) -> None:
    """List the niches there are, unless one of the commands is given. Spends nothing."""
    if context.invoked_subcommand is None:
        _list("", json=json)


@app.command("list")
def listed(kind: Kind = "", *, json: Json = False) -> None:
    """List the templates there are. Spends nothing."""
    _list(kind, json=json)


@app.command()
def saved(*, limit: options.Limit = 100, json: Json = False) -> None:
    """List the niches that were saved, newest first. Spends nothing."""

    async def ask(stack: Stack) -> None:
        request = discovery.ListSavedNichesRequest()
        found = await first_of(stack.discovery.ListSavedNiches, request, "saved_niches", limit)
        show_all(found, show.saved_niches(found), json=json)

    asking(ask)


@app.command("show")
def shown(name: Saved, *, json: Json = False) -> None:
    """Show one saved niche. Spends nothing."""

    async def ask(stack: Stack) -> None:
        found = await _read(stack, name)
        show_one(found, show.saved_niche(found), json=json)

    asking(ask)


@app.command()
@gathers(searched=criteria.product_filter)
def save(
    searched: discovery.DiscoveryFilter,
    called: Annotated[str, typer.Argument(help="Its name for people.")],
    template: Annotated[
        str, typer.Option(help="A niche of `avault niches list` that fills in what is not given.")
    ] = "",
    strategy: options.Strategy = "",
    notes: Notes = "",
    *,
    json: Json = False,
) -> None:
    """Save a niche of your own. Spends nothing."""
    niche = discovery.SavedNiche(
        display_name=called,
        template=options.full("niches", template) if template else "",
        strategy=options.strategy_named(strategy),
        notes=notes,
    )
    if searched.ByteSize():
        niche.filter.CopyFrom(searched)
    request = discovery.CreateSavedNicheRequest(request_id=str(uuid4()), saved_niche=niche)

    async def ask(stack: Stack) -> None:
        answer = await patiently(lambda: stack.discovery.CreateSavedNiche(request))
        show_one(answer.saved_niche, show.saved_niche(answer.saved_niche), json=json)

    asking(ask)


@app.command()
@gathers(searched=criteria.product_filter)
def change(
    searched: discovery.DiscoveryFilter,
    name: Saved,
    *,
    called: Annotated[str, typer.Option(help="Its name for people.")] = "",
    strategy: options.Strategy = "",
    notes: Notes = "",
    clear: options.Clear = None,
    json: Json = False,
) -> None:
    """Change what is given of a saved niche; the rest stays. Spends nothing."""
    niche = discovery.SavedNiche(
        name=options.full("bookmarks", name),
        display_name=called,
        strategy=options.strategy_named(strategy),
        notes=notes,
    )
    if searched.ByteSize():
        niche.filter.CopyFrom(searched)
    fields = options.changed(niche, clear, FIELDS)

    async def ask(stack: Stack) -> None:
        stored = await _read(stack, name)
        niche.etag = stored.etag
        criteria.amend(niche, stored.filter, clear)
        request = discovery.UpdateSavedNicheRequest(
            request_id=str(uuid4()), saved_niche=niche, update_mask=FieldMask(paths=fields)
        )
        answer = await patiently(lambda: stack.discovery.UpdateSavedNiche(request))
        show_one(answer.saved_niche, show.saved_niche(answer.saved_niche), json=json)

    asking(ask)


@app.command()
def delete(name: Saved) -> None:
    """Delete a saved niche."""
    request = discovery.DeleteSavedNicheRequest(
        request_id=str(uuid4()), name=options.full("bookmarks", name)
    )

    async def ask(stack: Stack) -> None:
        await patiently(lambda: stack.discovery.DeleteSavedNiche(request))
        console.print(f"{request.name} is gone.")

    asking(ask)


@app.command()
@gathers(age=criteria.age)
def examine(  # noqa: PLR0917 - one option each
    age: Age,
    niche: Annotated[
        list[str] | None,
        typer.Argument(
            help="Ids such as fitness, or bookmarks/<uuid> for saved ones; none: drawn at random."
        ),
    ] = None,
    count: Annotated[int, typer.Option(min=1, max=5, help="Niches drawn at random.")] = 1,
    products: Annotated[int, typer.Option(min=1, max=50, help="Products scored in each.")] = 10,
    kind: Kind = "",
    seed: Annotated[int, typer.Option(min=0, help="Draws the same niches again.")] = 0,
    *,
    json: Json = False,
) -> None:
    """Score real products of niches, best first. Each costs 11 tokens and 1 a product."""
    request = discovery.DiscoverNichesRequest(
        request_id=str(uuid4()),
        names=[each if "/" in each else f"niches/{each}" for each in niche or ()],
        count=0 if niche else count,
        kind=_kind(kind),
        scored_count=products,
        seed=seed,
        cache_only=age.cache_only,
        force_refresh=age.refresh,
    )

    async def ask(stack: Stack) -> None:
        async def collect() -> list[discovery.DiscoverNichesResponse]:
            return [part async for part in stack.discovery.DiscoverNiches(request)]

        *found, end = await patiently(collect)
        niches = [part.niche for part in found]
        show_all(niches, show.niches(niches), json=json)
        for each in niches if not json else ():
            if each.scores:
                console.print(f"\n{each.display_name}", style="bold")
                console.print(show.scores(each.scores))
        progress.print(show.search(end.info, sum(each.total_count for each in niches)))
        if end.seed:
            progress.print(f"The same draw again: --seed {end.seed}")

    asking(ask)


def _list(kind: str, *, json: bool) -> None:
    request = discovery.ListNicheTemplatesRequest(kind=_kind(kind), page_size=100)

    async def ask(stack: Stack) -> None:
        answer = await patiently(lambda: stack.discovery.ListNicheTemplates(request))
        show_all(answer.templates, show.niche_templates(answer.templates), json=json)

    asking(ask)


def _kind(name: str) -> discovery.NicheKind.ValueType:
    value: discovery.NicheKind.ValueType = options.named(
        discovery.NicheKind, "NICHE_KIND_", name, "--kind"
    )
    return value


async def _read(stack: Stack, name: str) -> discovery.SavedNiche:
    request = discovery.GetSavedNicheRequest(name=options.full("bookmarks", name))
    return (await patiently(lambda: stack.discovery.GetSavedNiche(request))).saved_niche
