"""Entries must follow the newest one: a gap is refused as well as somebody else's entry."""

from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None

COLUMNS = """
    at timestamptz default null, kinds text[] default null, tokens bigint[] default null,
    available bigint[] default null, reservations uuid[] default null,
    parents uuid[] default null, callers text[] default null, actions text[] default null,
    endpoints text[] default null, jobs uuid[] default null, requests uuid[] default null,
    contents text[] default null, facts text[] default null
"""
# As in 0007, but for the question which entry is the newest. Until now it was whether there is a
# newer one than the batch follows, which a batch that follows nothing stored would have passed.
STORE = f"""
create or replace function budget.store(
    wanted text, after bigint, decided timestamptz, tolerance interval, ids uuid[], ring boolean,
    {COLUMNS})
returns timestamptz
language plpgsql volatile as $$
declare
    newest bigint;
    clock timestamptz;
begin
    if kinds is not null then
        perform from budget.accounts a where a.name = wanted for update;
        if not found then
            return null;
        end if;
    end if;
    select l.sequence into newest from budget.ledger l where l.account = wanted
        order by l.sequence desc limit 1;
    if coalesce(newest, 0) <> after then
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
    if kinds is not null then
        perform budget.append(wanted, after, at, kinds, tokens, available, reservations, parents,
            callers, actions, endpoints, jobs, requests, contents, facts);
    end if;
    if ring then
        perform pg_notify('budget_ledger', wanted);
    end if;
    return clock;
end $$
"""  # noqa: S608 - only column names are put in


def upgrade() -> None:
    """Replace the function."""
    op.execute(STORE)


def downgrade() -> None:
    """Nothing: a ledger is not thrown away."""
