"""The methods of AutoSourcingService about what a day has brought."""
# ruff: noqa: ARG002 - the signatures are the contract's

from arbitragevault.autosourcing.v1 import autosourcing_pb2 as pb

from services.autosourcing.api import requests_pages, requests_reviews, responses_reviews
from services.autosourcing.domain import review
from services.autosourcing.usecases.reviewing import Reviewing
from services.chassis.clock import Clock
from services.chassis.rpc.call import Context


class ReviewMethods:
    """The part of the servicer that answers about what a day has brought."""

    _reviewing: Reviewing
    _clock: Clock

    async def GetDailyReview(
        self, request: pb.GetDailyReviewRequest, context: Context
    ) -> pb.GetDailyReviewResponse:
        """List the picks of a day in their classes."""
        day = requests_reviews.day(request, self._clock.now())
        wanted = requests_reviews.review_class(request.review_class)
        last = requests_pages.review_place(request, request.page_token)
        found, unreadable = await self._reviewing.day(day.start, day.end)
        listed = [each for each in found if wanted in (None, each.review_class)]
        page, end = requests_pages.cut(
            requests_pages.behind(listed, last), requests_pages.size(request.page_size)
        )
        saved = await self._reviewing.saved([each.sighting.pick.id for each in page])
        return pb.GetDailyReviewResponse(
            date=day.name,
            classes=responses_reviews.counts(found),
            picks=responses_reviews.picks(page, saved),
            next_page_token=requests_pages.token(request, str(end.sighting.pick.id)) if end else "",
            unreachable=() if request.page_token else unreadable,
        )

    async def GetOpportunityOfTheDay(
        self, request: pb.GetOpportunityOfTheDayRequest, context: Context
    ) -> pb.GetOpportunityOfTheDayResponse:
        """Name the best pick of a day."""
        day = requests_reviews.day(request, self._clock.now())
        found, _ = await self._reviewing.day(day.start, day.end)
        best = review.opportunity(found)
        chosen = [best] if best else []
        saved = await self._reviewing.saved([each.sighting.pick.id for each in chosen])
        shown = responses_reviews.picks(chosen, saved)
        return pb.GetOpportunityOfTheDayResponse(
            date=day.name,
            opportunity=shown[0] if shown else None,
            message=responses_reviews.message(best, found, day.name),
        )
