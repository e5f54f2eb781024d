"""Entries come as columns instead of a document, and a row says nothing twice."""

from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None

# What a grant or a wait was asked with stood in its columns and in its fact. As text that is only
# checked (json) a fact costs less than parsed (jsonb), and nothing searches in it. All rows are written anew, 1,000,000 in 16 s: many may take longer than
# other migrations do.
SHORTEN = """
set local statement_timeout = '1h';
alter table budget.ledger alter column fact type json using (
    case when kind in ('HELD', 'WAITING')
        then jsonb_set(fact, '{terms}', (fact -> 'terms') - '{id,tokens,parent,tags}'::text[])
        else fact end)::json;
reset statement_timeout
"""
# Nothing looks for grants by their kind but the list of them, which reads the key as quickly.
KINDS = """
create index ledger_kind on budget.ledger (account, kind, sequence) where kind <> 'HELD'
"""
COLUMNS = """
    at timestamptz default null, kinds text[] default null, tokens bigint[] default null,
    available bigint[] default null, reservations uuid[] default null,
    parents uuid[] default null, callers text[] default null, actions text[] default null,
    endpoints text[] default null, jobs uuid[] default null, requests uuid[] default null,
    contents text[] default null, facts text[] default null
"""
APPEND = f"""
create function budget.append(wanted text, after bigint, {COLUMNS})
returns void
language plpgsql volatile as $$
begin
    insert into budget.ledger (
        account, sequence, kind, at, tokens, available, reservation, parent, caller, action,
        endpoint, job, request_id, content, fact)
    select wanted, after + place, row.kind, append.at, row.tokens, row.available,
        row.reservation, row.parent, row.caller, row.action, row.endpoint, row.job,
        row.request_id, row.content, row.fact::json
    from unnest(kinds, append.tokens, append.available, reservations, parents, callers, actions,
        endpoints, jobs, requests, contents, facts) with ordinality
        as row(kind, tokens, available, reservation, parent, caller, action, endpoint, job,
            request_id, content, fact, place);
end $$
"""  # noqa: S608 - only column names are put in
# As in 0005, but for the way in which the entries come.
STORE = f"""
create function budget.store(
    wanted text, after bigint, decided timestamptz, tolerance interval, ids uuid[], ring boolean,
    {COLUMNS})
returns timestamptz
language plpgsql volatile as $$
declare
    clock timestamptz;
begin
    if kinds is not null then
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
    """Rewrite the ledger once, and replace the function; the service's role alone may call it."""
    op.execute("drop index budget.ledger_kind")
    op.execute(SHORTEN)
    op.execute(KINDS)
    op.execute(
        "drop function budget.store(text, bigint, timestamptz, interval, uuid[], jsonb, boolean)"
    )
    for name, create in (("append", APPEND), ("store", STORE)):
        op.execute(create)
        op.execute(f"revoke all on function budget.{name} from public")
        op.execute(f"grant execute on function budget.{name} to budget")
