"""An id that was queued in one account is no id of another: a request binds it only when granted."""

from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None

# Few entries are waits, so the index stays small. Where there is one account it is not even looked
# into: 5 us for a batch of one, and 70 to 100 where there are others with 2,000 waits.
WAITS = "create index ledger_waiting on budget.ledger (reservation) where kind = 'WAITING'"
COLUMNS = """
    at timestamptz default null, kinds text[] default null, tokens bigint[] default null,
    available bigint[] default null, reservations uuid[] default null,
    parents uuid[] default null, callers text[] default null, actions text[] default null,
    endpoints text[] default null, jobs uuid[] default null, requests uuid[] default null,
    contents text[] default null, facts text[] default null
"""
# As in 0008, but for the waits: one in another account sends the batch to a turn, which tells what
# the id stands for there.
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
    if requests is not null and exists (select from budget.accounts a where a.name <> wanted) then
        if exists (
            select from budget.ledger l where l.kind = 'WAITING' and l.account <> wanted
                and l.reservation = any(requests)) then
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
    """Build the index and replace the function."""
    op.execute(WAITS)
    op.execute(STORE)


def downgrade() -> None:
    """Nothing: a ledger is not thrown away."""
