"""Whether somebody else wrote is read from the index, however long the ledger."""

from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

# Only the second question differs from 0003. Asked with `exists`, its generic plan, which a session
# takes from the sixth call on, believes a third of the ledger to follow `after`, expects to meet
# one of those at once, and reads the whole table when there is none: 0.9 s at 1,000,000 entries.
#
# The lock orders this with `budget.take`. Each statement of a volatile function has a snapshot
# of its own, so what is compared after the lock was granted is what its last holder left.
# Null: somebody else was first, an id is known, or the instant was too far off; nothing is stored.
STORE = """
create or replace function budget.store(
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
    perform from budget.ledger l where l.account = wanted and l.sequence > after
        order by l.sequence limit 1;
    if found then
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
    """Replace the function; whoever may call it keeps the right to."""
    op.execute(STORE)
