"""Runs the migrations of one service in the transaction that `services.chassis.migrate` opened."""

from typing import Any

from alembic import context
from alembic.ddl.postgresql import PostgresqlImpl


class ScriptImpl(PostgresqlImpl):
    """Lets ``op.execute`` take a whole script: statements separated by semicolons.

    The driver prepares what it is given, and PostgreSQL prepares one statement at a time; so a
    script goes to the driver itself, on the same connection and in the same transaction.
    """

    __dialect__ = "postgresql"

    def execute(self, sql: Any, execution_options: dict[str, Any] | None = None) -> None:
        """Run a text as it stands, and anything else as before."""
        if not isinstance(sql, str):
            super().execute(sql, execution_options)
            return
        assert self.connection is not None
        self.connection.exec_driver_sql("select 1")  # The driver begins at the first use.
        adapted = self.connection.connection.dbapi_connection
        assert adapted is not None
        adapted.run_async(lambda driver: driver.execute(sql))


connection = context.config.attributes["connection"]
schema = context.config.attributes["schema"]

context.configure(
    connection=connection,
    version_table="alembic_version",
    version_table_schema=schema,
    include_schemas=True,
    transaction_per_migration=False,
)
with context.begin_transaction():
    context.run_migrations()
