"""Products are stored as they are sent; what was stored in another form is made anew from the JSON."""

from alembic import op
from sqlalchemy import Connection, text

from services.keepa_gateway.domain.bodies import BrokenBody
from services.keepa_gateway.domain.product import decode
from services.keepa_gateway.storage.packing import expand, pack

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

# Rows read at once: a large product has 200 kB.
BATCH = 100
_NEXT = text(
    "select domain, asin, profile, raw from keepa_gateway.snapshot"
    " where (domain, asin, profile) > (:domain, :asin, :profile)"
    " order by domain, asin, profile limit :batch"
)
_CHANGE = text(
    "update keepa_gateway.snapshot set product = :product"
    " where (domain, asin, profile) = (:domain, :asin, :profile)"
)
_FORGET = text(
    "delete from keepa_gateway.snapshot where (domain, asin, profile) = (:domain, :asin, :profile)"
)


def upgrade() -> None:
    """Change every row."""
    rewrite(op.get_bind())


def rewrite(connection: Connection) -> None:
    """Make each product's message from Keepa's JSON, which is stored beside it."""
    last: dict[str, object] = {"domain": -1, "asin": "", "profile": ""}
    while found := connection.execute(_NEXT, {**last, "batch": BATCH}).mappings().all():
        for row in found:
            last = {name: row[name] for name in ("domain", "asin", "profile")}
            try:
                product = pack(decode(expand(row["raw"])).product)
            except BrokenBody:
                connection.execute(_FORGET, last)
                continue
            connection.execute(_CHANGE, {**last, "product": product})


def downgrade() -> None:
    """Nothing: what was paid for is not thrown away."""
