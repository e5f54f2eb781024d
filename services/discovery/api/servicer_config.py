"""The methods of DiscoveryService about the scoring configuration."""

from datetime import date

from arbitragevault.discovery.v1 import discovery_pb2 as pb

from services.chassis.clock import Clock
from services.chassis.rpc import times
from services.chassis.rpc.call import Context
from services.discovery.api import requests, requests_config, requests_pages, responses_config
from services.discovery.usecases.configuring import Configurator


class ConfigMethods:
    """The part of the servicer that answers about the configuration."""

    _configurator: Configurator
    _clock: Clock

    async def GetScoringConfig(
        self, _request: pb.GetScoringConfigRequest, _: Context
    ) -> pb.GetScoringConfigResponse:
        """Read the scoring configuration that holds now."""
        config = await self._configurator.current()
        return pb.GetScoringConfigResponse(
            config=responses_config.scoring_config(config, self._today())
        )

    async def UpdateScoringConfig(
        self, request: pb.UpdateScoringConfigRequest, _: Context
    ) -> pb.UpdateScoringConfigResponse:
        """Change the scoring configuration, as a new revision."""
        made = await self._configurator.revise(
            requests.ask(request.request_id),
            requests_config.proposal(request.config, set(request.update_mask.paths)),
            request.config.etag,
            request.note,
        )
        return pb.UpdateScoringConfigResponse(
            config=responses_config.scoring_config(made, self._today())
        )

    async def PreviewScoringConfig(
        self, request: pb.PreviewScoringConfigRequest, _: Context
    ) -> pb.PreviewScoringConfigResponse:
        """Score stored products by a changed configuration beside the one that holds."""
        trials = await self._configurator.preview(
            requests_config.proposal(request.config, set()),
            requests.domain(request.domain),
            tuple(request.asins),
            requests.options(request.options),
        )
        known = {trial.before.asin for trial in trials}
        return pb.PreviewScoringConfigResponse(
            previews=map(responses_config.preview, trials),
            changed_count=sum(trial.changed for trial in trials),
            missing_asins=[asin for asin in request.asins if asin not in known],
        )

    async def ListScoringConfigRevisions(
        self, request: pb.ListScoringConfigRevisionsRequest, _: Context
    ) -> pb.ListScoringConfigRevisionsResponse:
        """List the revisions, newest first."""
        page = await self._configurator.revisions(
            size=requests_pages.size(request.page_size),
            after=requests_pages.place(request, request.page_token),
        )
        return pb.ListScoringConfigRevisionsResponse(
            revisions=[responses_config.revision(one, self._today()) for one in page.items],
            next_page_token=requests_pages.token(request, page.next_place),
            unreachable_revisions=map(int, page.unreadable),
        )

    async def GetScoringConfigStats(
        self, _request: pb.GetScoringConfigStatsRequest, _: Context
    ) -> pb.GetScoringConfigStatsResponse:
        """Say what the stored scores look like under the configuration that holds."""
        config, standing = await self._configurator.standing()
        counts = standing.recommendations.items()
        return pb.GetScoringConfigStatsResponse(
            revision=config.revision,
            revision_count=config.revision,
            update_time=times.timestamp(config.made_at),
            score_count=standing.scores,
            stale_score_count=standing.stale,
            recommendations=[
                pb.RecommendationCount(
                    recommendation=pb.Recommendation.Value(f"RECOMMENDATION_{name}"),
                    score_count=count,
                )
                for name, count in sorted(counts)
            ],
            mean_roi_percent=standing.mean_roi,
            mean_velocity_score=standing.mean_velocity,
            mean_confidence_score=standing.mean_confidence,
        )

    def _today(self) -> date:
        return self._clock.now().date()
