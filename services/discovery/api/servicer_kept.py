"""The methods of DiscoveryService about what people keep."""

from arbitragevault.discovery.v1 import discovery_pb2 as pb

from services.chassis.rpc.call import Context
from services.discovery.api import requests, requests_kept, requests_pages, responses_kept
from services.discovery.usecases.blocking import Blocker
from services.discovery.usecases.keeping import Keeper


class KeptMethods:
    """The part of the servicer that answers about what people keep."""

    _keeper: Keeper
    _blocker: Blocker

    async def CreateSavedNiche(
        self, request: pb.CreateSavedNicheRequest, _: Context
    ) -> pb.CreateSavedNicheResponse:
        """Save a niche."""
        saved = await self._keeper.save_niche(
            requests.ask(request.request_id), requests_kept.draft(request.saved_niche)
        )
        return pb.CreateSavedNicheResponse(saved_niche=responses_kept.saved_niche(saved))

    async def GetSavedNiche(
        self, request: pb.GetSavedNicheRequest, _: Context
    ) -> pb.GetSavedNicheResponse:
        """Read one saved niche."""
        found = await self._keeper.niche(requests.identity(request.name))
        return pb.GetSavedNicheResponse(saved_niche=responses_kept.saved_niche(found))

    async def ListSavedNiches(
        self, request: pb.ListSavedNichesRequest, _: Context
    ) -> pb.ListSavedNichesResponse:
        """List saved niches, newest first."""
        page = await self._keeper.niches(
            size=requests_pages.size(request.page_size),
            after=requests_pages.place(request, request.page_token),
        )
        return pb.ListSavedNichesResponse(
            saved_niches=[responses_kept.saved_niche(one) for one in page.items],
            next_page_token=requests_pages.token(request, page.next_place),
            unreachable=page.unreadable,
        )

    async def UpdateSavedNiche(
        self, request: pb.UpdateSavedNicheRequest, _: Context
    ) -> pb.UpdateSavedNicheResponse:
        """Change a saved niche."""
        changed = await self._keeper.amend_niche(
            requests.ask(request.request_id),
            requests.identity(request.saved_niche.name),
            requests_kept.amendment(request),
            request.saved_niche.etag,
        )
        return pb.UpdateSavedNicheResponse(saved_niche=responses_kept.saved_niche(changed))

    async def DeleteSavedNiche(
        self, request: pb.DeleteSavedNicheRequest, _: Context
    ) -> pb.DeleteSavedNicheResponse:
        """Delete a saved niche."""
        await self._keeper.drop_niche(
            requests.ask(request.request_id), requests.identity(request.name), request.etag
        )
        return pb.DeleteSavedNicheResponse()

    async def SaveFavorite(
        self, request: pb.SaveFavoriteRequest, _: Context
    ) -> pb.SaveFavoriteResponse:
        """Mark a product as a favourite, or change the notes of one."""
        marked = await self._keeper.mark(
            requests.ask(request.request_id),
            requests.domain(request.domain),
            request.asin,
            request.notes,
        )
        return pb.SaveFavoriteResponse(favorite=responses_kept.favorite(marked))

    async def ListFavorites(
        self, request: pb.ListFavoritesRequest, _: Context
    ) -> pb.ListFavoritesResponse:
        """List favourites, newest first."""
        page = await self._keeper.favorites(
            size=requests_pages.size(request.page_size),
            after=requests_pages.place(request, request.page_token),
        )
        return pb.ListFavoritesResponse(
            favorites=[responses_kept.favorite(one) for one in page.items],
            next_page_token=requests_pages.token(request, page.next_place),
        )

    async def DeleteFavorite(
        self, request: pb.DeleteFavoriteRequest, _: Context
    ) -> pb.DeleteFavoriteResponse:
        """Take a product off the favourites."""
        await self._keeper.unmark(
            requests.ask(request.request_id), requests.domain(request.domain), request.asin
        )
        return pb.DeleteFavoriteResponse()

    async def BlockProduct(
        self, request: pb.BlockProductRequest, _: Context
    ) -> pb.BlockProductResponse:
        """Put a product on the do-not-buy list, or change why it is there."""
        blocked = await self._blocker.block(
            requests.ask(request.request_id),
            requests.domain(request.domain),
            request.asin,
            request.reason,
        )
        return pb.BlockProductResponse(blocked_product=responses_kept.blocked_product(blocked))

    async def ListBlockedProducts(
        self, request: pb.ListBlockedProductsRequest, _: Context
    ) -> pb.ListBlockedProductsResponse:
        """List the do-not-buy list, newest first."""
        page = await self._blocker.blocked(
            size=requests_pages.size(request.page_size),
            after=requests_pages.place(request, request.page_token),
        )
        return pb.ListBlockedProductsResponse(
            blocked_products=[responses_kept.blocked_product(one) for one in page.items],
            next_page_token=requests_pages.token(request, page.next_place),
        )

    async def UnblockProduct(
        self, request: pb.UnblockProductRequest, _: Context
    ) -> pb.UnblockProductResponse:
        """Take a product off the do-not-buy list."""
        await self._blocker.unblock(
            requests.ask(request.request_id), requests.domain(request.domain), request.asin
        )
        return pb.UnblockProductResponse()
