"""Runs one service from its first check to its last closed connection."""

import asyncio
import os
import sys
from collections.abc import Awaitable, Callable, Coroutine
from contextlib import AsyncExitStack, suppress
from typing import Any, NoReturn, TypeVar

from services.chassis import telemetry
from services.chassis.loops import Loop
from services.chassis.preflight import StartError
from services.chassis.process import Process
from services.chassis.service import Service
from services.chassis.settings import ServiceSettings, load

__all__ = ["Loop", "Service", "StartError", "run"]


S = TypeVar("S", bound=ServiceSettings)


def run(
    name: str,
    settings_type: type[S],
    build: Callable[[S, AsyncExitStack], Awaitable[Service]],
) -> NoReturn:
    """Serve until told to stop, then exit: 0 after an orderly stop, 1 when it could not start.

    Args:
        name: The service's, for the log and for what a failed start says.
        settings_type: Loaded from the environment; a bad one exits with 2.
        build: Wires the service; what it enters on the stack is closed in reverse at the end.
    """
    settings = load(settings_type)
    telemetry.configure_logging(settings)
    process = Process(name, settings, lambda stack: build(settings, stack))
    code = _run_to_end(process.main())
    sys.stdout.flush()
    sys.stderr.flush()
    # Everything is closed; grpc's part of the interpreter's teardown would take seconds more.
    os._exit(code)


def _run_to_end(main: Coroutine[Any, Any, int]) -> int:
    factory: Callable[[], asyncio.AbstractEventLoop] | None = None
    with suppress(ImportError):
        import uvloop  # noqa: PLC0415 - does not exist everywhere

        factory = uvloop.new_event_loop
    with asyncio.Runner(loop_factory=factory) as runner:
        return runner.run(main)
