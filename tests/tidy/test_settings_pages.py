"""What the pages say of a setting is what the code does: its name and its default."""

import re
from importlib import import_module
from pathlib import Path

import pytest
from pydantic import AliasChoices
from pydantic.fields import FieldInfo

from services.autosourcing.settings import Settings as Autosourcing
from services.chassis.settings import ServiceSettings

ROOT = Path(__file__).resolve().parents[2]
SERVICES = ("budget", "keepa_gateway", "discovery", "autosourcing")
ROW = re.compile(r"^\| `(?P<name>[A-Z_]+)` \| (?P<default>[^|]*?) \|", re.MULTILINE)
SAFEGUARD = re.compile(
    r"^\| [^|]+ \| (?P<default>[\d.]+)[^|]* \| `(?P<name>[A-Z_]+)` \|", re.MULTILINE
)


def defaults(settings: type[ServiceSettings]) -> dict[str, str]:
    """The default of every setting that is a service's own, by the name of its variable."""
    bases = settings.__mro__[: settings.__mro__.index(ServiceSettings)]
    fields = {name: settings.model_fields[name] for base in bases for name in base.__annotations__}
    prefix = settings.model_config["env_prefix"]
    return {variable(prefix, name, field): text(field.default) for name, field in fields.items()}


def variable(prefix: str, name: str, field: FieldInfo) -> str:
    """The environment variable of a setting."""
    if isinstance(field.validation_alias, AliasChoices):
        return str(field.validation_alias.choices[0])
    return f"{prefix}{name.upper()}"


def text(default: object) -> str:
    """A default as a page writes it: whole numbers without a point, a dash for none."""
    if default is None:
        return "-"
    return f"{default:g}" if isinstance(default, float) else str(default)


@pytest.mark.parametrize("service", SERVICES)
def test_a_service_s_page_has_each_of_its_settings_with_its_default(service: str) -> None:
    """One row each, and none that the service does not read."""
    settings = import_module(f"services.{service}.settings").Settings
    page = (ROOT / "services" / service / "README.md").read_text(encoding="utf-8")

    assert {row["name"]: row["default"] for row in ROW.finditer(page)} == defaults(settings)


def test_the_page_on_the_safeguards_has_each_limit_with_its_default() -> None:
    """A12: the limits, why, and how to change them; all four of A1 are among them."""
    page = (ROOT / "docs" / "safeguards.md").read_text(encoding="utf-8")
    told = {row["name"]: row["default"] for row in SAFEGUARD.finditer(page)}

    assert len(told) == 5
    assert told.items() <= defaults(Autosourcing).items()
