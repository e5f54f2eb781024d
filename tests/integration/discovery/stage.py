"""Use cases over a real database, with a gateway that keeps account of what it is paid."""

import asyncio

# The promises are the ports': a stand-in repeats neither them nor its unused arguments.
# ruff: noqa: D102, ARG002
from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager, nullcontext
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from uuid import UUID, uuid4

from google.protobuf.message import Message
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from services.chassis import sql
from services.chassis.clock import SystemClock
from services.chassis.errors import Kind, Refusal
from services.discovery.api import responses
from services.discovery.api.servicer import DiscoveryServicer
from services.discovery.domain.answers import Fetched, Listing, Status
from services.discovery.domain.criteria import Filter, Options
from services.discovery.domain.errand import Errand
from services.discovery.domain.looking import Depth
from services.discovery.domain.product import Kind as Series
from services.discovery.domain.product import Offer, ProductFacts, Statistics
from services.discovery.domain.steps import StepKind, Task
from services.discovery.events.announce import Announcer, config_changed
from services.discovery.ports import Cost
from services.discovery.storage import steps as step_storage
from services.discovery.storage.caches import PostgresCaches
from services.discovery.storage.flights import PostgresFlights
from services.discovery.storage.kept import PostgresKept
from services.discovery.storage.lists import PostgresLists
from services.discovery.storage.requests import PostgresRequests
from services.discovery.storage.rulebook import PostgresRulebook
from services.discovery.storage.scores import PostgresScores
from services.discovery.storage.searches import PostgresSearches
from services.discovery.usecases.asking import Request
from services.discovery.usecases.blocking import Blocker
from services.discovery.usecases.checking import Checker
from services.discovery.usecases.configuring import Configurator
from services.discovery.usecases.estimating import Estimator
from services.discovery.usecases.exporting import Exporter
from services.discovery.usecases.finding import Finder
from services.discovery.usecases.glancing import Glancer
from services.discovery.usecases.holding import Holder
from services.discovery.usecases.keeping import Keeper
from services.discovery.usecases.looking import CloserLook
from services.discovery.usecases.paying import Payer
from services.discovery.usecases.purging import Purger
from services.discovery.usecases.reading import Reader
from services.discovery.usecases.recording import Recorder
from services.discovery.usecases.renewing import Renewals
from services.discovery.usecases.scoring import Appraiser
from services.discovery.usecases.scouting import Scout
from services.discovery.usecases.searching import SearchDesk
from services.discovery.usecases.stepping import Worker
from services.discovery.usecases.viewing import Viewer


def asin(number: int) -> str:
    return f"B{number:09d}"


def facts(name: str, now: datetime, title: str = "") -> ProductFacts:
    """A book with statistics but no history: enough for every gate and an average price."""
    return ProductFacts(
        asin=name,
        title=title or f"Book {name}",
        weight_grams=400,
        size_mm=(230, 150, 20),
        availability_amazon=-1,
        updated_at=now - timedelta(hours=1),
        statistics=Statistics(
            current={Series.NEW: 4200, Series.SALES_RANK: 90_000, Series.COUNT_NEW_FBA: 3},
            avg90={Series.NEW: 4200, Series.SALES_RANK: 95_000},
            drops_30=22,
            drops_90=60,
            drops_180=110,
        ),
    )


def refusal(
    reason: str, retry: float | None = None, kind: Kind = Kind.RESOURCE_EXHAUSTED
) -> Refusal:
    after = None if retry is None else timedelta(seconds=retry)
    return Refusal(kind, reason, f"refused: {reason}", retry_after=after)


@dataclass
class Till:
    """A gateway that answers each request id once for money and then again for nothing.

    Attributes:
        paid: Tokens taken, by request id.
        refusals: Given before anything else, first to last.
        delay: How long an answer takes.
        hangs_after: After so many products it says no more. None: never.
        titles: Of products whose name matters.
        allowed: Products it still answers; the others are refused. None: all.
        offers: What is for sale of every product; ``close`` are those looked at with offers.
    """

    found: int = 200
    paid: dict[UUID, int] = field(default_factory=dict)
    content: dict[UUID, object] = field(default_factory=dict)
    refusals: list[Refusal] = field(default_factory=list)
    snapshots: set[str] = field(default_factory=set)
    unknown: set[str] = field(default_factory=set)
    delay: float = 0.0
    hangs_after: int | None = None
    allowed: int | None = None
    offers: tuple[Offer, ...] = ()
    close: list[str] = field(default_factory=list)
    close_refusals: list[Refusal] = field(default_factory=list)
    close_delay: float = 0.0
    titles: dict[str, str] = field(default_factory=dict)
    errands: list[Errand] = field(default_factory=list)

    @property
    def tokens(self) -> int:
        return sum(self.paid.values())

    def _pay(self, request_id: UUID, content: object, tokens: int) -> int:
        assert self.content.setdefault(request_id, content) == content, "REQUEST_ID_REUSED"
        if request_id in self.paid:
            return 0
        self.paid[request_id] = tokens
        return tokens

    async def find(
        self, request_id: UUID, wanted: Filter, errand: Errand, *, max_age: timedelta
    ) -> Listing:
        self.errands.append(errand)
        if self.refusals:
            raise self.refusals.pop(0)
        paid = self._pay(request_id, wanted, wanted.most_tokens)
        await asyncio.sleep(self.delay)
        names = tuple(asin(number) for number in range(self.found))
        return Listing(
            asins=names[: wanted.max_results],
            total=self.found,
            found_at=datetime.now(UTC),
            tokens=paid,
        )

    async def products(
        self,
        request_id: UUID,
        domain: int,
        asins: Sequence[str],
        errand: Errand,
        *,
        max_age: timedelta,
        stored_only: bool = False,
        fresh_only: bool = False,
        depth: Depth = Depth.PLAIN,
    ) -> AsyncGenerator[Fetched]:
        self.errands.append(errand)
        if self.refusals:
            raise self.refusals.pop(0)
        if depth is not Depth.PLAIN:
            if self.close_refusals:
                raise self.close_refusals.pop(0)
            for name in asins:
                await asyncio.sleep(self.close_delay)
                yield self._closely(request_id, name)
            return
        for number, name in enumerate(asins):
            if number == self.hangs_after:
                await asyncio.Event().wait()
            await asyncio.sleep(self.delay)
            yield self._product(request_id, name, stored_only=stored_only or not max_age)

    def _product(self, request_id: UUID, name: str, *, stored_only: bool) -> Fetched:
        now = datetime.now(UTC)
        if name in self.unknown:
            return Fetched(asin=name, status=Status.UNKNOWN, unsettled=1, reason="OUTCOME_UNKNOWN")
        if name in self.snapshots:
            return Fetched(
                asin=name,
                status=Status.CACHED,
                facts=facts(name, now, self.titles.get(name, "")),
                fetched_at=now,
            )
        if stored_only or self.allowed == 0:
            reason = "NOT_STORED" if stored_only else "KEEPA_RATE_LIMITED"
            return Fetched(asin=name, status=Status.REFUSED, reason=reason)
        if self.allowed is not None:
            self.allowed -= 1
        self.snapshots.add(name)
        self.paid[request_id] = self.paid.get(request_id, 0) + 1
        return Fetched(
            asin=name,
            status=Status.FOUND,
            facts=facts(name, now, self.titles.get(name, "")),
            tokens=1,
            fetched_at=now,
        )

    def _closely(self, request_id: UUID, name: str) -> Fetched:
        self.close.append(name)
        now = datetime.now(UTC)
        if self.allowed == 0:
            return Fetched(asin=name, status=Status.REFUSED, reason="KEEPA_RATE_LIMITED")
        self.paid[request_id] = self.paid.get(request_id, 0) + 6
        known = replace(facts(name, now), offers=self.offers)
        return Fetched(asin=name, status=Status.FOUND, facts=known, tokens=6, fetched_at=now)

    async def product_cost(self, domain: int, asins: Sequence[str], *, max_age: timedelta) -> Cost:
        stored = sum(name in self.snapshots for name in asins)
        return Cost(most=len(asins) - stored, stored=stored)

    async def list_cost(self, wanted: Filter, *, max_age: timedelta) -> Cost:
        return Cost(most=wanted.most_tokens, stored=0)


@dataclass
class Purse:
    """Envelopes: held and released, with a refusal to come."""

    held: dict[str, int] = field(default_factory=dict)
    released: list[str] = field(default_factory=list)
    extended: list[str] = field(default_factory=list)
    brought: int = 100
    waits: list[timedelta] = field(default_factory=list)
    refusals: list[Refusal] = field(default_factory=list)

    async def hold(
        self, request_id: UUID, tokens: int, errand: Errand, *, duration: timedelta
    ) -> str:
        self.waits.append(errand.max_wait)
        if self.refusals:
            raise self.refusals.pop(0)
        name = f"reservations/{request_id}"
        self.held[name] = tokens
        return name

    async def extend(self, envelope: str, *, duration: timedelta) -> None:
        self.extended.append(envelope)

    async def left(self, envelope: str) -> int:
        return self.held.get(envelope, self.brought)

    async def release(self, request_id: UUID, envelope: str) -> None:
        self.released.append(envelope)


@dataclass
class Replica:
    """One process's worth of use cases."""

    desk: SearchDesk
    estimator: Estimator
    reader: Reader
    keeper: Keeper
    blocker: Blocker
    purger: Purger
    configurator: Configurator
    scout: Scout
    viewer: Viewer
    worker: Worker
    steps: step_storage.PostgresSteps
    searches: PostgresSearches
    lists: PostgresLists
    caches: PostgresCaches
    engine: AsyncEngine
    till: Till
    purse: Purse
    renewals: Renewals
    checker: Checker

    async def events(self) -> list[Message]:
        """What the outbox holds, oldest first."""
        from arbitragevault.discovery.v1 import events_pb2

        query = "select message_name, payload from discovery.outbox order by id"
        async with sql.transaction(self.engine) as connection:
            rows = (await connection.execute(text(query))).all()
        return [
            getattr(events_pb2, row.message_name.rpartition(".")[2]).FromString(bytes(row.payload))
            for row in rows
        ]

    async def execute(self, statement: str) -> None:
        async with sql.transaction(self.engine) as connection:
            await connection.execute(text(statement))


@asynccontextmanager
async def replica(database_url: str, till: Till, purse: Purse) -> AsyncGenerator[Replica]:
    """Wire the use cases as the composition root does."""
    engine = sql.create_engine(database_url, application="test", pool_size=16)
    clock = SystemClock()
    flights, lists, scores = PostgresFlights(engine), PostgresLists(engine), PostgresScores(engine)
    searches, caches = PostgresSearches(engine), PostgresCaches(engine)
    kept, rulebook = PostgresKept(engine), PostgresRulebook(engine, config_changed)
    finder = Finder(lists, flights, till)
    appraiser = Appraiser(scores, kept, flights, till, rulebook=rulebook)
    estimator, holder, renewals = Estimator(lists, till), Holder(purse), Renewals(nullcontext)
    payer = Payer(estimator, holder, max_tokens=200)
    desk = SearchDesk(
        finder,
        appraiser,
        payer,
        closer=CloserLook(appraiser, holder),
        renewals=renewals,
        requests=PostgresRequests(engine),
        recorder=Recorder(searches, clock),
        clock=clock,
    )
    announcer = Announcer(responses.appraisal, responses.info, clock)
    async with sql.Bell(database_url, step_storage.CHANNEL) as bell:
        steps = step_storage.PostgresSteps(engine, bell, announcer.announce)
        yield Replica(
            desk=desk,
            estimator=estimator,
            reader=Reader(scores, searches, caches),
            keeper=Keeper(kept, scores, clock),
            blocker=Blocker(kept, scores, clock),
            purger=Purger(caches, kept),
            configurator=Configurator(rulebook, till, kept, clock),
            scout=Scout(
                desk,
                payer,
                estimator,
                requests=PostgresRequests(engine),
                kept=kept,
                clock=clock,
            ),
            viewer=Viewer(desk, rulebook),
            worker=Worker(
                steps,
                finder,
                appraiser,
                envelopes=purse,
                searches=searches,
                clock=clock,
                lease=timedelta(seconds=15),
            ),
            steps=steps,
            searches=searches,
            lists=lists,
            caches=caches,
            engine=engine,
            till=till,
            purse=purse,
            renewals=renewals,
            checker=Checker(
                Glancer(till),
                scores,
                blocks=kept,
                rulebook=rulebook,
                requests=PostgresRequests(engine),
                recorder=Recorder(searches, clock),
                clock=clock,
            ),
        )
    await renewals.finish()
    await engine.dispose()


def servicer_of(one: Replica) -> DiscoveryServicer:
    """Wire the servicer as the composition root does."""
    return DiscoveryServicer(
        one.desk,
        one.estimator,
        one.reader,
        keeper=one.keeper,
        blocker=one.blocker,
        purger=one.purger,
        configurator=one.configurator,
        exporter=Exporter(one.searches),
        scout=one.scout,
        viewer=one.viewer,
        checker=one.checker,
        clock=SystemClock(),
    )


def request(request_id: UUID | None = None, **changes: object) -> Request:
    base = Request(id=request_id or uuid4(), errand=Errand(caller="tester"))
    return replace(base, **changes)  # type: ignore[arg-type]


def task(kind: StepKind = StepKind.SCORING, *, seconds: float = 100, **changes: object) -> Task:
    base = Task(
        kind=kind,
        job=f"jobs/{uuid4()}",
        step_id=uuid4(),
        envelope=f"reservations/{uuid4()}",
        caller="tester",
        force_refresh=False,
        deadline=datetime.now(UTC) + timedelta(seconds=seconds),
        filter=Filter(max_results=60) if kind is StepKind.DISCOVERY else None,
        asins=tuple(map(asin, range(30))) if kind is StepKind.SCORING else (),
        options=Options(),
    )
    return replace(base, **changes)  # type: ignore[arg-type]


async def accept(one: Replica, wanted: Task, event_id: UUID | None = None) -> UUID:
    """Take a task in as the event's handler does."""
    event = event_id or uuid4()
    async with sql.transaction(one.engine) as connection:
        await step_storage.PostgresIntake(connection).accept(wanted, event, "")
    return event
