"""The composition root: settings become engine, broker, peers, use cases and loops."""

from contextlib import AsyncExitStack

from arbitragevault.autosourcing.v1 import autosourcing_pb2, autosourcing_pb2_grpc
from arbitragevault.discovery.v1 import events_pb2 as discovery_events

from services.autosourcing.api import responses_jobs, responses_specs
from services.autosourcing.api.servicer import AutoSourcingServicer
from services.autosourcing.clients.budget import GrpcBudget
from services.autosourcing.clients.discovery import GrpcDiscovery
from services.autosourcing.events.announce import Announcing, Messages
from services.autosourcing.events.handlers import DiscoveryEvents
from services.autosourcing.settings import Settings
from services.autosourcing.storage import changes, tables
from services.autosourcing.storage.forgetting import PostgresPast
from services.autosourcing.storage.library import PostgresLibrary
from services.autosourcing.storage.reviews import PostgresReviews
from services.autosourcing.storage.schedules import PostgresRota
from services.autosourcing.storage.work import PostgresJobs
from services.autosourcing.usecases.answering import Answering
from services.autosourcing.usecases.desk import Desk
from services.autosourcing.usecases.forgetting import Forgetting
from services.autosourcing.usecases.launching import Launching
from services.autosourcing.usecases.planning import Planning
from services.autosourcing.usecases.profiles import Profiles
from services.autosourcing.usecases.reviewing import Reviewing
from services.autosourcing.usecases.schedules import Schedules
from services.autosourcing.usecases.starting import Starting
from services.autosourcing.usecases.tending import Tending
from services.autosourcing.usecases.watching import Watching
from services.chassis import sql
from services.chassis.clock import SystemClock
from services.chassis.events import nats
from services.chassis.events.consumer import Subscriber
from services.chassis.events.publisher import Publisher
from services.chassis.events.relay import Relay
from services.chassis.rpc.client import create_channel
from services.chassis.run import Loop, Service

NAME = "autosourcing"
FULL_NAME = autosourcing_pb2.DESCRIPTOR.services_by_name["AutoSourcingService"].full_name


async def build(settings: Settings, stack: AsyncExitStack) -> Service:
    """Wire the service; what is opened here is closed in reverse at stop."""
    limits = settings.limits()
    engine = sql.create_engine(settings.database_url, application=NAME, pool_size=12)
    stack.push_async_callback(engine.dispose)
    bell = await stack.enter_async_context(sql.Bell(settings.database_url, changes.CHANNEL))
    patience = settings.start_patience_seconds
    broker = await stack.enter_async_context(
        nats.connection(settings.nats_url, NAME, patience_seconds=patience)
    )
    js = broker.jetstream()
    await nats.ensure_stream(js, NAME)
    budget_channel = create_channel(settings.budget_target, caller=NAME)
    discovery_channel = create_channel(settings.discovery_target, caller=NAME)
    await stack.enter_async_context(budget_channel)
    await stack.enter_async_context(discovery_channel)

    announcing = Announcing(
        Messages(responses_jobs.job, responses_jobs.pick, responses_specs.filter_of)
    )
    jobs, library = PostgresJobs(engine, announcing), PostgresLibrary(engine)
    heard = changes.PostgresChanges(bell)
    budget = GrpcBudget(budget_channel)
    discovery = GrpcDiscovery(discovery_channel, responses_specs.filter_of)
    planning = Planning(jobs, discovery, budget, limits)
    launching = Launching(jobs, budget, planning, limits)
    rota = PostgresRota(engine, announcing)
    tending = Tending(jobs, budget, launching, limits, heard)
    servicer = AutoSourcingServicer(
        planning=planning,
        launching=launching,
        watching=Watching(library, heard),
        desk=Desk(jobs, library),
        profiles=Profiles(jobs, library, rota),
        schedules=Schedules(rota),
        reviewing=Reviewing(PostgresReviews(engine)),
        limits=limits,
        clock=SystemClock(),
    )
    subscriber = Subscriber(js, engine, NAME, tables.inbox, tables.dead_letters)
    return Service(
        name=NAME,
        register=lambda server: autosourcing_pb2_grpc.add_AutoSourcingServiceServicer_to_server(
            servicer, server
        ),
        full_names=[FULL_NAME],
        loops=[
            Loop("changes", heard.run),
            Loop("tending", tending.run),
            Loop("giving back", tending.give_back),
            Loop("schedules", Starting(rota, launching).run),
            Loop("forgetting", Forgetting(PostgresPast(engine)).run),
            Loop("relay", Relay(engine, tables.outbox, Publisher(js), f"{NAME} relay").run),
            *_readers(subscriber, DiscoveryEvents(Answering(limits), jobs.joined)),
        ],
    )


def _readers(subscriber: Subscriber, handlers: DiscoveryEvents) -> list[Loop]:
    """One consumer for each event of discovery that answers a step."""
    return [
        subscriber.loop(discovery_events.DiscoveryCompleted, handlers.on_discovery_completed),
        subscriber.loop(discovery_events.DiscoveryFailed, handlers.on_discovery_failed),
        subscriber.loop(discovery_events.ScoringCompleted, handlers.on_scoring_completed),
        subscriber.loop(discovery_events.ScoringFailed, handlers.on_scoring_failed),
    ]
