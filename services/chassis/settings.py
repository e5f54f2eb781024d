"""Settings: the environment and one file become one frozen object, or a list of what is wrong."""

import os
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal, NoReturn, Self, TypeVar
from urllib.parse import urlsplit

from dotenv import dotenv_values
from pydantic import AliasChoices, Field, ValidationError, model_validator
from pydantic_core import ErrorDetails
from pydantic_settings import BaseSettings, SettingsConfigDict, SettingsError

from services.chassis import sql

ENV_FILE = "ARBITRAGEVAULT_ENV_FILE"
KEEPA_HOST = "api.keepa.com"
KEEPA_TICK_SECONDS = 60.2
SHORTEST_TICK_SECONDS = 0.02


def shared(name: str) -> AliasChoices:
    """Read a field from ``name`` as it stands, whatever the service's prefix is."""
    return AliasChoices(name)


class ServiceSettings(BaseSettings):
    """What every service is told at start; a subclass adds its own and sets ``env_prefix``."""

    model_config = SettingsConfigDict(frozen=True, extra="ignore", populate_by_name=True)

    host: str = Field("127.0.0.1", description="the address to listen on")
    port: int = Field(ge=0, le=65535, description="the port to listen on; 0 takes a free one")
    database_url: str = Field(
        repr=False, min_length=1, description="PostgreSQL as this service's own role"
    )
    nats_url: str = Field("nats://127.0.0.1:4222", repr=False, validation_alias=shared("NATS_URL"))
    nats_monitor_url: str = Field(
        "",
        validation_alias=shared("NATS_MONITOR_URL"),
        description="the broker's HTTP port; set, its durability is checked at start",
    )
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = Field(
        "INFO", validation_alias=shared("LOG_LEVEL")
    )
    log_format: Literal["json", "console"] = Field("json", validation_alias=shared("LOG_FORMAT"))
    start_patience_seconds: float = Field(
        30.0, ge=0, description="how long to wait at start for the database and the broker"
    )
    stop_grace_seconds: float = Field(
        30.0, ge=0, description="how long running work may take to finish at stop"
    )
    max_concurrent_rpcs: int = Field(512, ge=1, description="more calls at once are refused")
    max_request_bytes: int = Field(1 << 20, ge=1024, description="larger requests are refused")
    reflection_enabled: bool = True
    channelz_enabled: bool = True

    @classmethod
    def service(cls) -> str:
        """The service's name, as its prefix tells it: ``KEEPA_GATEWAY_`` is keepa_gateway."""
        return cls.model_config.get("env_prefix", "").rstrip("_").lower()

    @model_validator(mode="before")
    @classmethod
    def _derive_database_url(cls, values: dict[str, Any]) -> dict[str, Any]:
        migrator = os.environ.get("DATABASE_URL", "")
        if values.get("database_url"):
            return {**values, "database_url": sql.async_url(values["database_url"])}
        if migrator:
            return {**values, "database_url": sql.role_url(migrator, cls.service())}
        return values


class KeepaSettings(ServiceSettings):
    """What every service that counts Keepa's ticks is told besides: they must count alike."""

    keepa_tick_seconds: float = Field(
        KEEPA_TICK_SECONDS,
        ge=SHORTEST_TICK_SECONDS,
        le=KEEPA_TICK_SECONDS,
        validation_alias=shared("KEEPA_TICK_SECONDS"),
        description="Keepa's refill step; shorter only for a sandbox with scaled time",
    )
    keepa_base_url: str = Field(
        f"https://{KEEPA_HOST}",
        validation_alias=shared("KEEPA_BASE_URL"),
        description="where Keepa is; https, or http to this machine for a sandbox",
    )

    @model_validator(mode="after")
    def _only_a_sandbox_scales_time(self) -> Self:
        host = (urlsplit(self.keepa_base_url).hostname or KEEPA_HOST).rstrip(".")
        if host == KEEPA_HOST and self.keepa_tick_seconds != KEEPA_TICK_SECONDS:
            raise ValueError(
                f"KEEPA_TICK_SECONDS must be {KEEPA_TICK_SECONDS} against {KEEPA_HOST}"
            )
        return self


S = TypeVar("S", bound=ServiceSettings)


def load(settings_type: type[S]) -> S:
    """Read the settings, or say everything that is wrong with them and exit with status 2.

    ``ARBITRAGEVAULT_ENV_FILE`` names a file of further variables; the environment wins over it.
    """
    try:
        _read_env_file()
        return settings_type()  # type: ignore[call-arg]  # the environment fills it
    except ValidationError as error:
        _give_up([_complaint(settings_type, details) for details in error.errors()])
    except (SettingsError, OSError) as error:
        _give_up([f"settings: {_first_line(error)}"])


def _read_env_file() -> None:
    path = os.environ.get(ENV_FILE)
    if not path:
        return
    if not Path(path).is_file():
        raise FileNotFoundError(f"{ENV_FILE} names a file that does not exist: {path}")
    for name, value in dotenv_values(path).items():
        os.environ.setdefault(name, value or "")


def _complaint(settings_type: type[ServiceSettings], details: ErrorDetails) -> str:
    """Name the variable and what is allowed; a value that slipped into the text is masked."""
    if not details["loc"]:
        return f"settings: {_masked(details['msg'], details.get('input'))}"
    name = str(details["loc"][0])
    field = settings_type.model_fields.get(name)
    variable = name if field is None else _variable(settings_type, name)
    told = f" ({field.description})" if field is not None and field.description else ""
    if variable.endswith("_DATABASE_URL") and details["type"] == "missing":
        return f"{variable}: set it, or DATABASE_URL from which it is derived{told}"
    return f"{variable}: {_masked(details['msg'], details.get('input'))}{told}"


def _variable(settings_type: type[ServiceSettings], field_name: str) -> str:
    alias = settings_type.model_fields[field_name].validation_alias
    if isinstance(alias, AliasChoices):
        return str(alias.choices[0])
    prefix = settings_type.model_config.get("env_prefix", "")
    return str(alias) if alias is not None else f"{prefix}{field_name}".upper()


def _masked(message: str, given: object) -> str:
    values = given.values() if isinstance(given, Mapping) else [given]
    for value in values:
        if isinstance(value, str) and len(value) >= 4:
            message = message.replace(value, "***")
    return message


def _first_line(error: Exception) -> str:
    return str(error).splitlines()[0] if str(error) else type(error).__name__


def _give_up(complaints: list[str]) -> NoReturn:
    for complaint in complaints:
        sys.stderr.write(f"{complaint}\n")
    sys.exit(2)
