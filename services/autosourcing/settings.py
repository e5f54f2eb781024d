"""What AutoSourcing is told at start."""

from datetime import timedelta

from pydantic import Field
from pydantic_settings import SettingsConfigDict

from services.autosourcing.domain.limits import Limits
from services.chassis.settings import ServiceSettings, shared


class Settings(ServiceSettings):
    """The chassis' settings, the peers, and the safeguards of docs/safeguards.md."""

    model_config = SettingsConfigDict(env_prefix="AUTOSOURCING_")

    port: int = Field(
        50054, ge=0, le=65535, description="the port to listen on; 0 takes a free one"
    )
    budget_target: str = Field(
        "127.0.0.1:50051", validation_alias=shared("BUDGET_TARGET"), description="host:port"
    )
    discovery_target: str = Field(
        "127.0.0.1:50053", validation_alias=shared("DISCOVERY_TARGET"), description="host:port"
    )
    max_tokens_per_job: int = Field(
        200, ge=1, le=1_000_000, description="the most a job's first pass may be estimated at"
    )
    timeout_per_job_seconds: float = Field(120, ge=5, le=3000, description="how long a job may run")
    max_products_per_search: int = Field(
        10, ge=1, le=1000, description="products analysed when nobody says how many"
    )
    min_token_balance_required: int = Field(
        50, ge=0, le=1_000_000, description="tokens that must be available before a job starts"
    )
    recent_window_days: float = Field(
        7, ge=0, le=365, description="how long an analysed product is not analysed again"
    )

    def limits(self) -> Limits:
        """The safeguards as the domain knows them."""
        return Limits(
            tokens_per_job=self.max_tokens_per_job,
            job_timeout=timedelta(seconds=self.timeout_per_job_seconds),
            products_per_search=self.max_products_per_search,
            minimum_balance=self.min_token_balance_required,
            recent_window=timedelta(days=self.recent_window_days),
        )
