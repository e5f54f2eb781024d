"""The composition root: settings become engine, broker, peers, use cases and loops."""

from contextlib import AbstractContextManager, AsyncExitStack
from dataclasses import replace
from datetime import timedelta

from arbitragevault.autosourcing.v1 import events_pb2 as job_events
from arbitragevault.discovery.v1 import discovery_pb2, discovery_pb2_grpc

from services.chassis import sql
from services.chassis.clock import SystemClock
from services.chassis.events import nats
from services.chassis.events.consumer import Subscriber
from services.chassis.events.publisher import Publisher
from services.chassis.events.relay import Relay
from services.chassis.rpc.call import current_call, working_for
from services.chassis.rpc.client import create_channel
from services.chassis.run import Loop, Service
from services.discovery.api import requests, responses
from services.discovery.api.servicer import DiscoveryServicer
from services.discovery.clients.budget import GrpcEnvelopes
from services.discovery.clients.keepa_gateway import GrpcGateway
from services.discovery.events.announce import Announcer, config_changed
from services.discovery.events.handlers import JobEvents
from services.discovery.settings import Settings
from services.discovery.storage import steps, tables
from services.discovery.storage.caches import PostgresCaches
from services.discovery.storage.flights import PostgresFlights
from services.discovery.storage.kept import PostgresKept
from services.discovery.storage.lists import PostgresLists
from services.discovery.storage.requests import PostgresRequests
from services.discovery.storage.rulebook import PostgresRulebook
from services.discovery.storage.scores import PostgresScores
from services.discovery.storage.searches import PostgresSearches
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

NAME = "discovery"
FULL_NAME = discovery_pb2.DESCRIPTOR.services_by_name["DiscoveryService"].full_name


async def build(settings: Settings, stack: AsyncExitStack) -> Service:
    """Wire the service; what is opened here is closed in reverse at stop."""
    engine = sql.create_engine(settings.database_url, application=NAME, pool_size=16)
    stack.push_async_callback(engine.dispose)
    bell = await stack.enter_async_context(sql.Bell(settings.database_url, steps.CHANNEL))
    patience = settings.start_patience_seconds
    broker = await stack.enter_async_context(
        nats.connection(settings.nats_url, NAME, patience_seconds=patience)
    )
    js = broker.jetstream()
    await nats.ensure_stream(js, NAME)
    gateway_channel = create_channel(settings.keepa_gateway_target, caller=NAME)
    budget_channel = create_channel(settings.budget_target, caller=NAME)
    await stack.enter_async_context(gateway_channel)
    await stack.enter_async_context(budget_channel)

    clock = SystemClock()
    gateway, flights = GrpcGateway(gateway_channel, clock), PostgresFlights(engine)
    lists, scores = PostgresLists(engine), PostgresScores(engine)
    searches, caches = PostgresSearches(engine), PostgresCaches(engine)
    kept, rulebook = PostgresKept(engine), PostgresRulebook(engine, config_changed)
    finder = Finder(lists, flights, gateway)
    appraiser = Appraiser(scores, kept, flights, gateway, rulebook=rulebook)
    estimator, envelopes = Estimator(lists, gateway), GrpcEnvelopes(budget_channel)
    holder, renewals = Holder(envelopes), Renewals(_detached)
    requests, recorder = PostgresRequests(engine), Recorder(searches, clock)
    payer = Payer(estimator, holder, max_tokens=settings.max_tokens_per_search)
    desk = SearchDesk(
        finder,
        appraiser,
        payer,
        closer=CloserLook(appraiser, holder),
        renewals=renewals,
        requests=requests,
        recorder=recorder,
        clock=clock,
    )
    checker = Checker(
        Glancer(gateway),
        scores,
        blocks=kept,
        rulebook=rulebook,
        requests=requests,
        recorder=recorder,
        clock=clock,
    )
    announcer = Announcer(responses.appraisal, responses.info, clock)
    taken = steps.PostgresSteps(engine, bell, announcer.announce)
    lease = timedelta(seconds=settings.step_lease_seconds)
    worker = Worker(
        taken, finder, appraiser, envelopes=envelopes, searches=searches, clock=clock, lease=lease
    )
    keeper, blocker = Keeper(kept, scores, clock), Blocker(kept, scores, clock)
    reader, purger = Reader(scores, searches, caches), Purger(caches, kept)
    servicer = DiscoveryServicer(
        desk,
        estimator,
        reader,
        keeper=keeper,
        blocker=blocker,
        purger=purger,
        configurator=Configurator(rulebook, gateway, kept, clock),
        exporter=Exporter(searches),
        scout=Scout(desk, payer, estimator, requests=requests, kept=kept, clock=clock),
        viewer=Viewer(desk, rulebook),
        checker=checker,
        clock=clock,
    )
    subscriber = Subscriber(js, engine, NAME, tables.inbox, tables.dead_letters)
    return Service(
        name=NAME,
        register=lambda server: discovery_pb2_grpc.add_DiscoveryServiceServicer_to_server(
            servicer, server
        ),
        full_names=[FULL_NAME],
        loops=[
            *(Loop(f"worker {number}", worker.run) for number in range(settings.step_workers)),
            Loop("purger", purger.run),
            Loop("relay", Relay(engine, tables.outbox, Publisher(js), f"{NAME} relay").run),
            *_readers(subscriber),
        ],
        finish=[renewals.finish, envelopes.finish],
    )


def _detached() -> AbstractContextManager[object]:
    """Begin work that outlives the call that is running, under its caller's name."""
    return working_for(replace(current_call(), deadline=None))


def _readers(subscriber: Subscriber) -> list[Loop]:
    """One consumer for each event of autosourcing that asks for a step."""
    handlers = JobEvents(steps.PostgresIntake, requests.filter_of, requests.options)
    return [
        subscriber.loop(job_events.DiscoveryRequested, handlers.on_discovery_requested),
        subscriber.loop(job_events.ScoringRequested, handlers.on_scoring_requested),
    ]
