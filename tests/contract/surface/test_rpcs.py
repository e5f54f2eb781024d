"""The surface is the one that was designed: no RPC is missing, none came by accident."""

import pytest

from tests.contract.surface import contracts

# The list of the design, section 5, in its order.
DESIGNED = {
    "budget": """
        ReserveTokens CommitReservation ReleaseReservation ExtendReservation BatchReserveTokens
        GetReservation ListReservations ReportBalance GetAccount ListAccounts WatchAccount*
        CheckAction ListActions ListLedgerEntries GetUsage VerifyLedger
    """,
    "keepa_gateway": """
        GetProducts* FindProducts SearchProducts ListDeals ListBestSellers* GetCategories
        SearchCategories GetSellers ListTopSellers FindSellers ListLightningDeals GetTokenStatus
        EstimateCost GetEgressStatus CheckConnection
    """,
    "discovery": """
        DiscoverProducts ScoreProducts* DiscoverScoredProducts EstimateDiscovery
        ListNicheTemplates DiscoverNiches* CreateSavedNiche GetSavedNiche ListSavedNiches
        UpdateSavedNiche DeleteSavedNiche SaveFavorite ListFavorites DeleteFavorite BlockProduct
        ListBlockedProducts UnblockProduct GetProductMetrics ListScores ExplainScore
        GetStrategicView EstimateStock VerifyProduct ListSearches ExportSearch* GetCacheHealth
        PurgeCache GetScoringConfig UpdateScoringConfig PreviewScoringConfig
        ListScoringConfigRevisions GetScoringConfigStats
    """,
    "autosourcing": """
        EstimateJob CreateJob GetJob ListJobs WatchJob* CancelJob ListPicks UpdatePick
        ExportPicks* ImportIdentifiers CreateProfile GetProfile ListProfiles UpdateProfile
        DeleteProfile CreateSchedule GetSchedule ListSchedules UpdateSchedule DeleteSchedule
        GetJobStats GetDailyReview GetOpportunityOfTheDay
    """,
}


@pytest.mark.parametrize("service", contracts.SERVICES)
def test_every_designed_rpc_exists_and_no_other(service: str) -> None:
    """Clients in any language are written against this list; a star marks a server stream."""
    found = {
        f"{method.name}*" if method.server_streaming else method.name
        for method in contracts.service(service).methods
    }

    assert found == set(DESIGNED[service].split())


def test_no_rpc_streams_from_the_client() -> None:
    """A request that is one message can be repeated with its id; a stream of them cannot."""
    assert [method.full_name for method in contracts.methods() if method.client_streaming] == []


def test_every_rpc_owns_its_messages() -> None:
    """A shared message could not grow for one RPC without growing for the other."""
    pairs = [
        (method.name, method.input_type.name, method.output_type.name)
        for method in contracts.methods()
    ]

    assert pairs == [(name, f"{name}Request", f"{name}Response") for name, _, _ in pairs]
