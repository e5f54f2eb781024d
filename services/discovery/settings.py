"""What discovery is told at start."""

from pydantic import Field
from pydantic_settings import SettingsConfigDict

from services.chassis.settings import ServiceSettings, shared


class Settings(ServiceSettings):
    """The chassis' settings, the peers, and the limits of a search."""

    model_config = SettingsConfigDict(env_prefix="DISCOVERY_")

    port: int = Field(
        50053, ge=0, le=65535, description="the port to listen on; 0 takes a free one"
    )
    keepa_gateway_target: str = Field(
        "127.0.0.1:50052", validation_alias=shared("KEEPA_GATEWAY_TARGET"), description="host:port"
    )
    budget_target: str = Field(
        "127.0.0.1:50051", validation_alias=shared("BUDGET_TARGET"), description="host:port"
    )
    max_tokens_per_search: int = Field(
        200, ge=1, le=1_000_000, description="the most a search may be estimated at"
    )
    step_workers: int = Field(
        4, ge=1, le=64, description="steps of jobs that one process does at a time"
    )
    step_lease_seconds: float = Field(
        10.0, ge=1, le=300, description="how long a dead worker's step rests before it is redone"
    )
