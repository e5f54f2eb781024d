"""Locking an account, reading what is new and recalling the past by one call instead of three."""

from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

# Each statement of a volatile function has a snapshot of its own, so what is read after the
# lock was granted is what its last holder left. The first row, and no other, has no sequence.
# Arrays, not joins: the planner then reads the indexes whatever it believes of sizes.
TAKE = """
create function budget.take(wanted text, after bigint, ids uuid[])
returns table (
    clock timestamptz, tail boolean, account text, sequence bigint, kind text, at timestamptz,
    tokens bigint, available bigint, reservation uuid, parent uuid, caller text, action text,
    endpoint text, job uuid, request_id uuid, content text, fact text)
language plpgsql volatile as $$
#variable_conflict use_column
declare
    touched uuid[];
begin
    perform from budget.accounts a where a.name = wanted for update;
    if not found then
        return;
    end if;
    return query select clock_timestamp(), true, wanted, null::bigint, null, null::timestamptz,
        null::bigint, null::bigint, null::uuid, null::uuid, null, null, null, null::uuid,
        null::uuid, null, null;
    return query select null::timestamptz, true, l.account, l.sequence, l.kind, l.at, l.tokens,
        l.available, l.reservation, l.parent, l.caller, l.action, l.endpoint, l.job, l.request_id,
        l.content, l.fact::text
        from budget.ledger l where l.account = wanted and l.sequence > after order by l.sequence;
    touched := ids || array(
        select l.reservation from budget.ledger l
        where l.request_id = any(ids) and l.reservation is not null);
    return query select null::timestamptz, false, p.account, p.sequence, p.kind, p.at, p.tokens,
        p.available, p.reservation, p.parent, p.caller, p.action, p.endpoint, p.job, p.request_id,
        p.content, p.fact::text
        from (
            select * from budget.ledger l where l.reservation = any(touched)
            union all
            select * from budget.ledger l
            where l.parent = any(touched) and not l.reservation = any(touched)
        ) p order by p.account, p.sequence;
end $$
"""


def upgrade() -> None:
    """Create the function for the service's role alone."""
    op.execute(TAKE)
    op.execute("revoke all on function budget.take from public")
    op.execute("grant execute on function budget.take to budget")
