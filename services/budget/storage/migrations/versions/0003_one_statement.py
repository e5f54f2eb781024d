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
    sequences bigint[], kinds text[], instants timestamptz[], amounts bigint[], rests bigint[],
    reservations uuid[], parents uuid[], callers text[], actions text[], endpoints text[],
    jobs uuid[], requests uuid[], contents text[], facts jsonb[])
returns timestamptz
language plpgsql volatile as $$
declare
    clock timestamptz;
begin
    if cardinality(sequences) > 0 then
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
    insert into budget.ledger (
        account, sequence, kind, at, tokens, available, reservation, parent, caller, action,
        endpoint, job, request_id, content, fact)
    select wanted, * from unnest(
        sequences, kinds, instants, amounts, rests, reservations, parents, callers, actions,
        endpoints, jobs, requests, contents, facts);
    return clock;
end $$
"""


def upgrade() -> None:
    """Create the function for the service's role alone."""
    op.execute(STORE)
    op.execute("revoke all on function budget.store from public")
    op.execute("grant execute on function budget.store to budget")
