"""Who takes a turn learns whether the entry that it remembers as the newest is still there."""

from alembic import op

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None

# As in 0002, but for the first row, which has the instant of the entry at `after`. A restore, or a
# standby that had not heard of everything, may have taken it away, and others have written since.
TAKE = """
create or replace function budget.take(wanted text, after bigint, ids uuid[])
returns table (
    clock timestamptz, tail boolean, account text, sequence bigint, kind text, at timestamptz,
    tokens bigint, available bigint, reservation uuid, parent uuid, caller text, action text,
    endpoint text, job uuid, request_id uuid, content text, fact text)
language plpgsql volatile as $$
#variable_conflict use_column
declare
    touched uuid[];
    known timestamptz;
begin
    perform from budget.accounts a where a.name = wanted for update;
    if not found then
        return;
    end if;
    select l.at into known from budget.ledger l where l.account = wanted and l.sequence = after;
    return query select clock_timestamp(), true, wanted, null::bigint, null, known, null::bigint,
        null::bigint, null::uuid, null::uuid, null, null, null, null::uuid, null::uuid, null, null;
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
    """Replace the function; whoever may call it keeps the right to."""
    op.execute(TAKE)


def downgrade() -> None:
    """Nothing: a ledger is not thrown away."""
