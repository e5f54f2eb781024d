"""What budget is told at start."""

from typing import Self
from urllib.parse import urlsplit

from pydantic import Field, model_validator
from pydantic_settings import SettingsConfigDict

from services.chassis.settings import ServiceSettings, shared

KEEPA_HOST = "api.keepa.com"
KEEPA_TICK_SECONDS = 60.2


class Settings(ServiceSettings):
    """Budget's settings; it needs to know Keepa's tick, never its key."""

    model_config = SettingsConfigDict(env_prefix="BUDGET_")

    port: int = Field(
        50051, ge=0, le=65535, description="the port to listen on; 0 takes a free one"
    )
    keepa_tick_seconds: float = Field(
        KEEPA_TICK_SECONDS,
        ge=0.02,
        le=KEEPA_TICK_SECONDS,
        validation_alias=shared("KEEPA_TICK_SECONDS"),
        description="the length of a refill step; shorter only for a sandbox with scaled time",
    )
    keepa_base_url: str = Field(
        f"https://{KEEPA_HOST}",
        validation_alias=shared("KEEPA_BASE_URL"),
        description="where the gateway finds Keepa; tells a sandbox from the real one",
    )
    queue_limit: int = Field(
        1000, ge=0, le=100_000, description="reservations that may wait for tokens at once"
    )

    @model_validator(mode="after")
    def _only_a_sandbox_scales_time(self) -> Self:
        host = (urlsplit(self.keepa_base_url).hostname or KEEPA_HOST).rstrip(".")
        if host == KEEPA_HOST and self.keepa_tick_seconds != KEEPA_TICK_SECONDS:
            raise ValueError(
                f"KEEPA_TICK_SECONDS must be {KEEPA_TICK_SECONDS} against {KEEPA_HOST}"
            )
        return self
