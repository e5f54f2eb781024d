"""What the gateway is told at start."""

from pathlib import Path
from typing import Self
from urllib.parse import urlsplit

from pydantic import Field, SecretStr, field_validator, model_validator
from pydantic_settings import SettingsConfigDict

from services.chassis.settings import KeepaSettings, shared
from services.keepa_gateway.domain.calls import Deadlines

_LOOPBACK = ("127.0.0.1", "localhost", "::1")


class Settings(KeepaSettings):
    """The gateway's settings; the key comes from a file where it can."""

    model_config = SettingsConfigDict(env_prefix="KEEPA_GATEWAY_")

    port: int = Field(
        50052, ge=0, le=65535, description="the port to listen on; 0 takes a free one"
    )
    budget_target: str = Field(
        "127.0.0.1:50051", validation_alias=shared("BUDGET_TARGET"), description="host:port"
    )
    keepa_api_key: SecretStr | None = Field(
        None, validation_alias=shared("KEEPA_API_KEY"), description="better: KEEPA_API_KEY_FILE"
    )
    keepa_api_key_file: Path | None = Field(
        None, validation_alias=shared("KEEPA_API_KEY_FILE"), description="a file with the key"
    )
    account: str = Field(
        "default",
        pattern="^[a-z0-9][a-z0-9-]{0,62}$",
        description="the account at budget: 1 to 63 small letters, digits and hyphens",
    )
    throttle_per_minute: int = Field(20, ge=1, le=60_000, description="requests per minute")
    throttle_burst: int = Field(20, ge=1, le=10_000, description="requests at once after a rest")
    plain_seconds: float = Field(30.0, gt=0, description="deadline of a call without offers")
    offers_seconds: float = Field(120.0, gt=0, description="deadline of a call with offers")
    list_seconds: float = Field(60.0, gt=0, description="deadline of a list")
    status_seconds: float = Field(10.0, gt=0, description="deadline of a balance")
    hold_margin_seconds: float = Field(
        5.0, ge=1, description="how long tokens stay held beyond a call's deadline"
    )

    @field_validator("keepa_base_url")
    @classmethod
    def _safe(cls, value: str) -> str:
        """Plain HTTP would show the key to the network; only this machine may see it."""
        parts = urlsplit(value)
        if parts.scheme == "https" and parts.hostname:
            return value
        if parts.scheme == "http" and parts.hostname in _LOOPBACK:
            return value
        raise ValueError("must be https, or http to 127.0.0.1, localhost or ::1")

    @model_validator(mode="after")
    def _has_a_key(self) -> Self:
        if self.key_is_missing:
            raise ValueError("set KEEPA_API_KEY_FILE or KEEPA_API_KEY; the sandbox takes any text")
        return self

    @property
    def key_is_missing(self) -> bool:
        """Whether nobody said where the key is."""
        given = self.keepa_api_key is not None and self.keepa_api_key.get_secret_value().strip()
        return not given and self.keepa_api_key_file is None

    @property
    def deadlines(self) -> Deadlines:
        """The deadlines of calls by their pace."""
        return Deadlines(
            status=self.status_seconds,
            plain=self.plain_seconds,
            offers=self.offers_seconds,
            list=self.list_seconds,
        )

    def read_key(self) -> str:
        """Read the key; the file wins over the environment.

        Raises:
            OSError: The file cannot be read.
        """
        if self.keepa_api_key_file is not None:
            return self.keepa_api_key_file.read_text(encoding="utf-8").strip()
        assert self.keepa_api_key is not None
        return self.keepa_api_key.get_secret_value().strip()
