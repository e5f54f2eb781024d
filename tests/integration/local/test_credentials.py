"""A service's password is in a file; its address works all the same, however it is used."""

from pathlib import Path

import asyncpg
import pytest
from sqlalchemy import make_url, text

from deploy.local import credentials
from deploy.local.folder import DataFolder
from deploy.local.postgres import Postgres
from deploy.local.settings import BadSetting
from services.chassis import sql

pytestmark = pytest.mark.anyio


async def test_an_address_without_a_password_logs_in_through_sqlalchemy_and_asyncpg(
    tmp_path: Path,
) -> None:
    """Both ways are in use: pools through the one, LISTEN through the other."""
    folder = DataFolder(tmp_path / "data")
    with Postgres.start(durable=False) as server:
        password = make_url(sql.role_url(server.url, "budget")).password
        admin = await asyncpg.connect(sql.plain_url(server.url))
        await admin.execute(f"create role budget login password '{password}'")
        await admin.close()

        url = credentials.service_database_urls(server.url, folder, {})["budget"]

        assert make_url(url).password is None
        listener = await asyncpg.connect(sql.plain_url(url))
        assert await listener.fetchval("select current_user") == "budget"
        await listener.close()
        engine = sql.create_engine(url, application="test")
        async with sql.transaction(engine) as connection:
            assert await connection.scalar(text("select current_user")) == "budget"
        await engine.dispose()
    folder.close()


async def test_a_given_address_of_a_service_is_left_as_it_is(tmp_path: Path) -> None:
    folder = DataFolder(tmp_path / "data")
    given = "postgresql://somebody:pw@db/prod"

    urls = credentials.service_database_urls(
        "postgresql://m:pw@db/prod", folder, {"BUDGET_DATABASE_URL": given}
    )

    assert urls["budget"] == given
    assert "passfile" in urls["discovery"]
    folder.close()


async def test_a_migrator_without_a_password_cannot_derive_roles(tmp_path: Path) -> None:
    """The services' passwords are made from the migrator's; from nothing comes nothing."""
    folder = DataFolder(tmp_path / "data")

    with pytest.raises(BadSetting, match="DATABASE_URL has no password"):
        credentials.service_database_urls("postgresql://m@db/prod", folder, {})
    folder.close()
