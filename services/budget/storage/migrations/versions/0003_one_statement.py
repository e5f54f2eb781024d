"""Storing a batch by one statement, when it was decided on the newest state there is."""

from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

# The lock orders this with `budget.take`. Each statement of a volatile function has a snapshot
# of its own, so what is compared after the lock was granted is what its last holder left.
# Null: somebody else was first, an id is known, or the instant was too far off; nothing is stored.
STORE = """
create function budget.store(
    wanted text, after bigint, decided timestamptz, tolerance interval, ids uuid[],
    entries jsonb, ring boolean)
returns timestamptz
language plpgsql volatile as $$
declare
    clock timestamptz;
begin
    if entries is not null then
        perform from budget.accounts a where a.name = wanted for update;
        if not found then
            return null;
        end if;
    end if;
    if exists (select from budget.ledger l where l.account = wanted and l.sequence > after) then
        return null;
    end if;
    if cardinality(ids) > 0 then
        if exists (select from budget.ledger l where l.request_id = any(ids))
            or exists (select from budget.ledger l where l.reservation = any(ids)) then
            return null;
        end if;
    end if;
    clock := clock_timestamp();
    if decided > clock or decided < clock - tolerance then
        return null;
    end if;
    if entries is not null then
        insert into budget.ledger (
            account, sequence, kind, at, tokens, available, reservation, parent, caller, action,
            endpoint, job, request_id, content, fact)
        select wanted, * from jsonb_to_recordset(entries) as row(
            sequence bigint, kind text, at timestamptz, tokens bigint, available bigint,
            reservation uuid, parent uuid, caller text, action text, endpoint text, job uuid,
            request_id uuid, content text, fact jsonb);
    end if;
    if ring then
        perform pg_notify('budget_ledger', wanted);
    end if;
    return clock;
end $$
"""


def upgrade() -> None:
    """Create the function for the service's role alone."""
    op.execute(STORE)
    op.execute("revoke all on function budget.store from public")
    op.execute("grant execute on function budget.store to budget")
