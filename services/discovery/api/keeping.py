"""What people keep, over gRPC."""

from arbitragevault.discovery.v1 import discovery_pb2 as pb
from arbitragevault.keepa_gateway.v1 import keepa_gateway_pb2 as keepa

from services.chassis.errors import invalid_field
from services.chassis.rpc import times
from services.chassis.rpc.call import Context, current_call
from services.discovery.api import read, write
from services.discovery.domain.kept import Amendment, Draft, Favorite, SavedNiche
from services.discovery.usecases.keeping import Ask, Keeper, Known

NICHE_FIELDS = ("display_name", "filter", "strategy", "notes")


class KeepingMethods:
    """The part of the servicer that answers about what people keep."""

    _keeper: Keeper

    async def CreateSavedNiche(
        self, request: pb.CreateSavedNicheRequest, _: Context
    ) -> pb.CreateSavedNicheResponse:
        """Save a niche."""
        saved = await self._keeper.save_niche(ask(request.request_id), draft(request.saved_niche))
        return pb.CreateSavedNicheResponse(saved_niche=saved_niche(saved))

    async def GetSavedNiche(
        self, request: pb.GetSavedNicheRequest, _: Context
    ) -> pb.GetSavedNicheResponse:
        """Read one saved niche."""
        found = await self._keeper.niche(read.identity(request.name))
        return pb.GetSavedNicheResponse(saved_niche=saved_niche(found))

    async def ListSavedNiches(
        self, request: pb.ListSavedNichesRequest, _: Context
    ) -> pb.ListSavedNichesResponse:
        """List saved niches, newest first."""
        page = await self._keeper.niches(
            size=read.page_size(request.page_size),
            after=read.page_place(request, request.page_token),
        )
        return pb.ListSavedNichesResponse(
            saved_niches=[saved_niche(one) for one in page.items],
            next_page_token=read.page_token(request, page.next_place),
        )

    async def UpdateSavedNiche(
        self, request: pb.UpdateSavedNicheRequest, _: Context
    ) -> pb.UpdateSavedNicheResponse:
        """Change a saved niche."""
        changed = await self._keeper.amend_niche(
            ask(request.request_id),
            read.identity(request.saved_niche.name),
            amendment(request),
            request.saved_niche.etag,
        )
        return pb.UpdateSavedNicheResponse(saved_niche=saved_niche(changed))

    async def DeleteSavedNiche(
        self, request: pb.DeleteSavedNicheRequest, _: Context
    ) -> pb.DeleteSavedNicheResponse:
        """Delete a saved niche."""
        await self._keeper.drop_niche(
            ask(request.request_id), read.identity(request.name), request.etag
        )
        return pb.DeleteSavedNicheResponse()

    async def SaveFavorite(
        self, request: pb.SaveFavoriteRequest, _: Context
    ) -> pb.SaveFavoriteResponse:
        """Mark a product as a favourite, or change the notes of one."""
        marked = await self._keeper.mark(
            ask(request.request_id), read.domain(request.domain), request.asin, request.notes
        )
        return pb.SaveFavoriteResponse(favorite=favorite(marked))

    async def ListFavorites(
        self, request: pb.ListFavoritesRequest, _: Context
    ) -> pb.ListFavoritesResponse:
        """List favourites, newest first."""
        page = await self._keeper.favorites(
            size=read.page_size(request.page_size),
            after=read.page_place(request, request.page_token),
        )
        return pb.ListFavoritesResponse(
            favorites=[favorite(one) for one in page.items],
            next_page_token=read.page_token(request, page.next_place),
        )

    async def DeleteFavorite(
        self, request: pb.DeleteFavoriteRequest, _: Context
    ) -> pb.DeleteFavoriteResponse:
        """Take a product off the favourites."""
        await self._keeper.unmark(
            ask(request.request_id), read.domain(request.domain), request.asin
        )
        return pb.DeleteFavoriteResponse()


def ask(request_id: str) -> Ask:
    """Read who asks, under which id."""
    return Ask(id=read.request_id(request_id), caller=current_call().caller)


def draft(message: pb.SavedNiche) -> Draft:
    """Read a niche to be saved; what is absent is left open."""
    return Draft(
        display_name=message.display_name,
        filter=read.filter_of(message.filter) if message.HasField("filter") else None,
        strategy=read.strategy(message.strategy) if message.strategy else None,
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
        filter=read.filter_of(message.filter) if "filter" in mask else None,
        strategy=read.strategy(message.strategy) if "strategy" in mask else None,
        notes=message.notes if "notes" in mask else None,
    )


def saved_niche(one: SavedNiche) -> pb.SavedNiche:
    """Write a saved niche."""
    return pb.SavedNiche(
        name=one.name,
        display_name=one.display_name,
        filter=write.filter_message(one.filter),
        strategy=write.strategy(one.strategy),
        notes=one.notes,
        template=one.template,
        last_niche_score=one.last_score,
        last_examine_time=times.timestamp(one.last_examined_at),
        caller=one.caller,
        create_time=times.timestamp(one.created_at),
        update_time=times.timestamp(one.updated_at),
        etag=one.etag,
    )


def favorite(one: Known[Favorite]) -> pb.Favorite:
    """Write a favourite with its newest score."""
    kept, newest = one.kept, one.appraisal
    return pb.Favorite(
        name=f"favorites/{kept.domain}-{kept.asin}",
        asin=kept.asin,
        domain=keepa.Domain.ValueType(kept.domain),
        notes=kept.notes,
        title="" if newest is None else newest.title,
        score=None if newest is None else write.appraisal(newest),
        caller=kept.caller,
        create_time=times.timestamp(kept.created_at),
        update_time=times.timestamp(kept.updated_at),
    )
