"""PostgreSQL through SQLAlchemy Core: engines, transactions, each service's role, and LISTEN."""

import asyncio
import hashlib
import hmac
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass
from datetime import datetime
from typing import Self

import asyncpg
from sqlalchemy import URL, QueuePool, event, exc, make_url, text
from sqlalchemy.engine import ExceptionContext
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine

from services.chassis import telemetry
from services.chassis.cancelling import end
from services.chassis.errors import Refusal

STATEMENT_TIMEOUT = "5s"
LOCK_TIMEOUT = "2s"
IDLE_TIMEOUT = "5s"
COMMAND_SECONDS = 8.0
"""How long a statement may take on our side; the server's own limit strikes before, if it lives."""

PROBE_SECONDS = 30.0
"""How long a listener hears nothing before it asks whether anybody is there: a server that is cut
off says no goodbye, and hints would be missing for ever."""

PROBE_ANSWER_SECONDS = 5.0

# Classes of SQLSTATE that say "not now" rather than "not so": connection lost, resources
# exhausted, operator at work, and the transaction conflicts that a repetition cures.
_PASSING_CLASSES = ("08", "53", "57")
_LOOPBACK = ("127.0.0.1", "::1", "localhost")
_PASSING_STATES = ("40001", "40P01", "55P03")
_log = telemetry.get_logger(__name__)


def async_url(database_url: str) -> str:
    """Name the asyncpg driver in ``database_url``, whatever driver it named before."""
    return _text(make_url(database_url).set(drivername="postgresql+asyncpg"))


def role_url(database_url: str, service: str) -> str:
    """Derive a service's own URL from the migrator's: same server, own role, derived password.

    Raises:
        ValueError: The migrator's URL has no password to derive one from.
    """
    url = make_url(database_url)
    if not url.password:
        raise ValueError(
            f"DATABASE_URL has no password to derive one from; set {service.upper()}_DATABASE_URL"
        )
    password = hmac.new(url.password.encode(), service.encode(), hashlib.sha256).hexdigest()
    role = url.set(drivername="postgresql+asyncpg", username=service, password=password)
    return _text(role)


def create_engine(database_url: str, *, application: str, pool_size: int = 8) -> AsyncEngine:
    """Build an engine whose every connection bounds its statements, its locks and its idleness.

    Args:
        database_url: The service's own URL.
        application: Shown in ``pg_stat_activity``.
        pool_size: All the connections there will ever be; a ninth waits 5 s, then fails.
    """
    engine = create_async_engine(
        async_url(database_url),
        pool_size=pool_size,
        max_overflow=0,
        pool_timeout=5,
        pool_recycle=1800,
        async_creator=lambda: _connect(database_url, application),
    )
    event.listen(engine.sync_engine, "handle_error", _name_the_loss)
    return engine


async def _connect(database_url: str, application: str) -> asyncpg.Connection:
    """Open a connection with its limits; a server out of reach becomes an error of the database.

    Without that it would be an ``OSError``, which could be anybody's.
    """
    try:
        return await asyncpg.connect(
            plain_url(database_url),
            timeout=5,
            command_timeout=COMMAND_SECONDS,
            server_settings={
                "application_name": application,
                "statement_timeout": STATEMENT_TIMEOUT,
                "lock_timeout": LOCK_TIMEOUT,
                "idle_in_transaction_session_timeout": IDLE_TIMEOUT,
            },
        )
    except OSError as error:
        raise asyncpg.CannotConnectNowError(f"no connection: {error!r}") from error


def _name_the_loss(context: ExceptionContext) -> exc.OperationalError | None:
    """Turn a silence or a cut in the middle of a statement into an error of the database."""
    original = context.original_exception
    if not isinstance(original, OSError):  # A timeout is one, too.
        return None
    context.is_disconnect = True
    return exc.OperationalError(context.statement, None, original, connection_invalidated=True)


@asynccontextmanager
async def transaction(engine: AsyncEngine) -> AsyncIterator[AsyncConnection]:
    """Run a block in one transaction: committed at its end, rolled back when it raises.

    Statement, lock and idle limits come with the connection, so they cost no round trip here.
    """
    async with engine.begin() as connection:
        yield connection


@asynccontextmanager
async def statement(engine: AsyncEngine) -> AsyncIterator[AsyncConnection]:
    """Give a connection on which each statement commits by itself, with a third of the round trips.

    Only for blocks of exactly one statement: a second one would not be undone with the first.
    """
    async with engine.connect() as connection:
        yield await connection.execution_options(isolation_level="AUTOCOMMIT")


@asynccontextmanager
async def driver(engine: AsyncEngine) -> AsyncIterator[asyncpg.Connection]:
    """Lend a connection as the driver's own, where statements of our own cost too much.

    Each statement commits by itself. A connection that anything but a refusal came of is thrown
    away; one that died in the pool is replaced: its socket has told so, without a round trip.

    Raises:
        OperationalError: The database went silent or away; `unavailable` says so of it.
        asyncpg.PostgresError: Everything else, as the driver says it.
    """
    async with engine.connect() as connection:
        held = await connection.get_raw_connection()
        if held.driver_connection is None or held.driver_connection.is_closed():
            await connection.invalidate()
            held = await connection.get_raw_connection()
        lent, sound = held.driver_connection, False
        assert lent is not None, "a pool lends what it has connected"
        try:
            yield lent
            sound = True
        except Refusal:
            sound = True
            raise
        except (OSError, asyncpg.InternalClientError) as error:
            raise exc.OperationalError(None, None, error, connection_invalidated=True) from error
        finally:
            if not sound or lent.is_closed():
                await connection.invalidate()


@dataclass(frozen=True, slots=True)
class _Loan:
    """A connection on loan from the pool, and what gives it back."""

    connection: asyncpg.Connection
    back: AsyncExitStack


class Driver:
    """Lends the driver's own connections, a few of which stay on loan from the pool.

    The way through the pool takes three times the processor time of a small statement. What came
    back last is lent first; `close` gives back what stayed, before the engine is disposed of.
    Nothing stays on loan that somebody may wait for: the pool knows who came first. While nobody
    is lent one here, others have ``kept`` connections less.
    """

    def __init__(self, engine: AsyncEngine, *, kept: int) -> None:
        self._engine = engine
        self._kept = kept
        self._idle: list[_Loan] = []

    @asynccontextmanager
    async def lend(self) -> AsyncIterator[asyncpg.Connection]:
        """Lend one as `driver` does, errors included."""
        loan = await self._loan()
        async with loan.back as back:
            yield loan.connection
            if len(self._idle) < self._kept and not self._waited_for:
                self._idle.append(_Loan(loan.connection, back.pop_all()))

    async def close(self) -> None:
        """Give back what stayed on loan, and let nothing stay any more."""
        self._kept = 0
        while self._idle:
            await self._idle.pop().back.aclose()

    @property
    def _waited_for(self) -> bool:
        pool = self._engine.pool
        assert isinstance(pool, QueuePool), "as `create_engine` builds it"
        return pool.checkedout() >= pool.size()

    async def _loan(self) -> _Loan:
        while self._idle:
            loan = self._idle.pop()
            if not loan.connection.is_closed():
                return loan
            await loan.back.aclose()
        back = AsyncExitStack()
        return _Loan(await back.enter_async_context(driver(self._engine)), back)


async def database_now(connection: AsyncConnection) -> datetime:
    """Read the database's clock, which all replicas share; it moves within a transaction."""
    now = await connection.scalar(text("select clock_timestamp()"))
    assert isinstance(now, datetime)
    return now


def unavailable(error: BaseException) -> bool:
    """Tell whether ``error`` means that the database cannot answer now, but may soon."""
    if isinstance(error, exc.TimeoutError):
        return True
    if isinstance(error, exc.DBAPIError):
        return error.connection_invalidated or _passes(error.orig)
    return isinstance(error, asyncpg.PostgresError | asyncpg.InterfaceError) and _passes(error)


def _passes(error: BaseException | None) -> bool:
    state = str(getattr(error, "sqlstate", None) or getattr(error, "pgcode", None) or "")
    if state.startswith(_PASSING_CLASSES) or state in _PASSING_STATES:
        return True
    cause = error.__cause__ if error is not None else None
    lost = OSError | TimeoutError | asyncpg.InterfaceError
    return isinstance(error, lost) or isinstance(cause, lost)


class Bell:
    """Rings when somebody notifies its channel; a hint only, so every wait is bounded.

    The connection is raw and outside any pool. Losing it costs hints until it is back, and a
    fresh connection rings once, for what may have been missed.
    """

    def __init__(self, database_url: str, channel: str) -> None:
        self._url = database_url
        self._channel = channel
        self._rung = asyncio.Event()
        self._listener: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Self:
        self._listener = asyncio.create_task(self._listen(), name=f"listen {self._channel}")
        return self

    async def __aexit__(self, *_: object) -> None:
        assert self._listener is not None
        await end(self._listener)

    def ring(self) -> None:
        """Ring from inside this process, without the way through the database."""
        self._rung.set()

    async def wait(self, seconds: float) -> None:
        """Sleep until the bell rings, or for ``seconds`` at the most."""
        try:
            async with asyncio.timeout(seconds):
                await self._rung.wait()
        except TimeoutError:
            return
        self._rung.clear()

    async def _listen(self) -> None:
        while True:
            try:
                await self._listen_once()
            except (OSError, TimeoutError, asyncpg.PostgresError, asyncpg.InterfaceError) as error:
                _log.debug("listening interrupted", channel=self._channel, error=str(error))
            await asyncio.sleep(1)

    async def _listen_once(self) -> None:
        lost = asyncio.Event()
        connection = await asyncpg.connect(plain_url(self._url), timeout=5)
        try:
            connection.add_termination_listener(lambda *_: lost.set())
            await connection.add_listener(self._channel, lambda *_: self._rung.set())
            self._rung.set()
            while not lost.is_set():
                with suppress(TimeoutError):
                    async with asyncio.timeout(PROBE_SECONDS):
                        await lost.wait()
                        return
                await connection.execute("select 1", timeout=PROBE_ANSWER_SECONDS)
        finally:
            connection.terminate()


def plain_url(database_url: str) -> str:
    """Turn an SQLAlchemy URL into the form that asyncpg itself takes.

    On the loopback address it asks for no TLS, unless the URL says otherwise. asyncpg would try
    it by default, which is a round trip for every connection, and an error that nobody reads
    when a caller's deadline cancels the opening in the middle of it.
    """
    url = make_url(database_url).set(drivername="postgresql")
    if url.host in _LOOPBACK and "sslmode" not in url.query:
        url = url.update_query_dict({"sslmode": "disable"})
    return _text(url)


def engine_url(engine: AsyncEngine) -> str:
    """Give the URL an engine was made with, password included: never log it."""
    return _text(engine.url)


def _text(url: URL) -> str:
    return url.render_as_string(hide_password=False)


def lock_number(name: str) -> int:
    """Turn a name into the 64-bit number that advisory locks are kept under."""
    return int.from_bytes(hashlib.sha256(name.encode()).digest()[:8], signed=True)
