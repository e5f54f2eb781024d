"""The tables that the code describes are the tables that the migrations make."""

import importlib
from typing import Any

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import Connection, MetaData
from sqlalchemy.ext.asyncio import create_async_engine

from services.chassis import migrate

pytestmark = pytest.mark.anyio

# Indexes and constraints that only a migration names take nothing from the code.
BEYOND_THE_CODE = ("remove_index", "remove_constraint", "remove_fk")


def _differences(connection: Connection, metadata: MetaData) -> list[Any]:
    connection.exec_driver_sql("set search_path = ''")
    schema = metadata.schema

    def ours(name: str | None, kind: str, _: object) -> bool:
        return name == schema if kind == "schema" else name != "alembic_version"

    options = {"include_schemas": True, "include_name": ours}
    found = compare_metadata(MigrationContext.configure(connection, opts=options), metadata)
    return [each for each in found if each[0] not in BEYOND_THE_CODE]


@pytest.mark.parametrize("service", migrate.known_services())
async def test_code_and_migrations_agree_on_the_tables(postgres: str, service: str) -> None:
    """A column that only one of them knows fails in production, not in review."""
    metadata: MetaData = importlib.import_module(f"services.{service}.storage.tables").metadata
    engine = create_async_engine(postgres)
    async with engine.connect() as connection:
        found = await connection.run_sync(_differences, metadata)
    await engine.dispose()

    assert found == []
