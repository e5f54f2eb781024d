"""One run of one service: checks, start, signals, and the order of an orderly stop."""

import asyncio
import os
import signal
import sys
import time
from collections.abc import Awaitable, Callable, Sequence
from contextlib import AsyncExitStack, suppress
from dataclasses import dataclass
from typing import Any

import grpc.aio
from grpc_health.v1._async import HealthServicer

from services.chassis import memory, preflight, telemetry
from services.chassis.cancelling import end
from services.chassis.events import nats
from services.chassis.loops import Loop, supervise
from services.chassis.preflight import StartError
from services.chassis.readiness import Readiness
from services.chassis.rpc import server as servers
from services.chassis.rpc.border import Border
from services.chassis.service import Service
from services.chassis.settings import ServiceSettings

_log = telemetry.get_logger(__name__)
_CLOSE_SECONDS = 10.0
_LOOP_STOP_SECONDS = 5.0


@dataclass(frozen=True)
class Open:
    """The parts of a service that answers."""

    server: grpc.aio.Server
    health: HealthServicer
    border: Border


class Process:
    """One run of one service."""

    def __init__(
        self,
        name: str,
        settings: ServiceSettings,
        wire: Callable[[AsyncExitStack], Awaitable[Service]],
    ) -> None:
        self._name = name
        self._settings = settings
        self._wire = wire
        self._stop = asyncio.Event()
        self._started = False

    async def main(self) -> int:
        """Serve until a signal comes, and return the exit code."""
        serving = asyncio.current_task()
        assert serving is not None
        for number in (signal.SIGTERM, signal.SIGINT):
            asyncio.get_running_loop().add_signal_handler(number, self._signalled, number, serving)
        try:
            await self._serve()
        except StartError as error:
            sys.stderr.write(f"{error}\n")
            return 1
        except asyncio.CancelledError:
            _log.info("start abandoned", service=self._name)
        except Exception as error:  # noqa: BLE001 - the border of the process
            _log.critical("service failed", service=self._name, exc_info=error)
            return 1
        return 0

    def _signalled(self, number: signal.Signals, serving: "asyncio.Task[Any]") -> None:
        """Stop in order at the first signal; at the second, at once."""
        if self._stop.is_set():
            os._exit(128 + number)
        _log.info("stop requested", service=self._name, signal=number.name)
        self._stop.set()
        if not self._started:
            serving.cancel()

    async def _serve(self) -> None:
        preflight.check_port(self._settings)
        await preflight.await_database(self._settings)
        if self._settings.nats_monitor_url:
            await nats.check_sync_always(self._settings.nats_monitor_url)
        stack = AsyncExitStack()
        try:
            service = await self._wire(stack)
            opened = await self._open(service)
            memory.settle()
            self._started = True
            loops = [
                asyncio.create_task(supervise(loop), name=loop.name)
                for loop in (self._readiness(service, opened), *service.loops)
            ]
            await self._stop.wait()
            await self._wind_down(service, opened, loops)
        finally:
            async with asyncio.timeout(_CLOSE_SECONDS):
                await stack.aclose()
        _log.info("service stopped", service=self._name)

    async def _open(self, service: Service) -> Open:
        """Take the port and begin to answer."""
        settings = self._settings
        border = servers.create_border(settings, service.name)
        server = servers.create_server(settings, service.name, border=border)
        service.register(server)
        health = await servers.enable_health(server, service.full_names)
        if settings.reflection_enabled:
            servers.enable_reflection(server, service.full_names)
        if settings.channelz_enabled:
            servers.enable_channelz(server)
        try:
            port = servers.listen(server, settings.host, settings.port)
        except servers.AddressTakenError as error:
            raise preflight.port_taken(settings) from error
        await server.start()
        await servers.serving(health, service.full_names)
        _log.info("service started", service=self._name, host=settings.host, port=port)
        return Open(server, health, border)

    def _readiness(self, service: Service, opened: Open) -> Loop:
        watch = Readiness(self._settings.database_url, opened.health, service.full_names)
        return Loop("readiness", watch.run)

    async def _wind_down(
        self, service: Service, opened: Open, loops: "Sequence[asyncio.Task[None]]"
    ) -> None:
        """Stop taking work, finish what is paid for, then stop answering.

        The last calls may have begun paid work while the first round of it was awaited, so it
        is awaited again when no call is left.
        """
        deadline = time.monotonic() + self._settings.stop_grace_seconds
        await opened.health.enter_graceful_shutdown()
        with suppress(TimeoutError):
            async with asyncio.timeout(_LOOP_STOP_SECONDS):
                await end(*loops)
        await self._finish(service, deadline)
        opened.border.watches.end()
        await opened.server.stop(max(0.0, deadline - time.monotonic()))
        await self._finish(service, deadline + 1.0)

    async def _finish(self, service: Service, deadline: float) -> None:
        if not service.finish:
            return
        try:
            async with asyncio.timeout(max(0.0, deadline - time.monotonic())):
                await asyncio.gather(*(finish() for finish in service.finish))
        except TimeoutError:
            _log.error("paid work cut off", service=self._name)
        except Exception as error:  # noqa: BLE001 - a stop goes on whatever fails in it
            _log.error("finishing failed", service=self._name, exc_info=error)
