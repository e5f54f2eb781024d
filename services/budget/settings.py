"""What budget is told at start."""

from pydantic import Field
from pydantic_settings import SettingsConfigDict

from services.chassis.settings import KeepaSettings


class Settings(KeepaSettings):
    """Budget's settings; it knows where Keepa is only to tell a sandbox from the real one."""

    model_config = SettingsConfigDict(env_prefix="BUDGET_")

    port: int = Field(
        50051, ge=0, le=65535, description="the port to listen on; 0 takes a free one"
    )
    queue_limit: int = Field(
        1000, ge=0, le=100_000, description="reservations that may wait for tokens at once"
    )
