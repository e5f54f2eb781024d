"""What goes wrong and when: processes that die or freeze, and a Keepa that misbehaves."""

import asyncio
import os
import random
import signal
from collections import Counter
from contextlib import suppress
from typing import Any

from deploy.local.stack import SERVICES
from tests.chaos.stack import Stack
from tests.support import http_client

PAUSE_SECONDS = (0.2, 2.2)
FREEZE_SECONDS = (0.5, 20.0)
LASTING_SECONDS = 3.0
ENGINE_SHARE = 0.12
KILL_SHARE = 0.42
STOP_SHARE = 0.47
FREEZE_SHARE = 0.6


class Nemesis:
    """Breaks one thing after the other; `counts` says what it did."""

    def __init__(
        self,
        stack: Stack,
        rng: random.Random,
        *,
        foreign: bool,
        pause_seconds: tuple[float, float] = PAUSE_SECONDS,
    ) -> None:
        self._stack = stack
        self._rng = rng
        self._foreign = foreign
        self._pause = pause_seconds
        self._frozen: set[int] = set()
        self._thaws: set[asyncio.Task[None]] = set()
        self.counts: Counter[str] = Counter()

    async def run(self) -> None:
        """Break things until cancelled; whatever is frozen then thaws."""
        try:
            while True:
                await asyncio.sleep(self._rng.uniform(*self._pause))
                await self._strike()
        finally:
            self._thaw_all()

    async def calm(self) -> None:
        """Take every fault back."""
        self._thaw_all()
        await self._order({"fault": "clear"})

    async def _strike(self) -> None:
        dice = self._rng.random()
        if dice < ENGINE_SHARE:
            self._kill(self._rng.choice(("PostgreSQL", "NATS", "NATS")))
        elif dice < KILL_SHARE:
            self._kill(self._rng.choice(SERVICES))
        elif dice < STOP_SHARE:
            self._kill(self._rng.choice(SERVICES), signal.SIGTERM)
        elif dice < FREEZE_SHARE:
            self._freeze(self._rng.choice((*SERVICES, *SERVICES, "NATS")))
        else:
            await self._order(self._fault())

    def _kill(self, part: str, how: signal.Signals = signal.SIGKILL) -> None:
        pids = self._stack.pids(part)
        if not pids:
            return
        with suppress(ProcessLookupError):
            os.kill(self._rng.choice(pids), how)
            self.counts[f"{'stop' if how is signal.SIGTERM else 'kill'} {part}"] += 1

    def _freeze(self, part: str) -> None:
        pids = [pid for pid in self._stack.pids(part) if pid not in self._frozen]
        if not pids:
            return
        pid = self._rng.choice(pids)
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGSTOP)
            self._frozen.add(pid)
            self.counts[f"freeze {part}"] += 1
            thaw = asyncio.create_task(self._thaw_later(pid, self._rng.uniform(*FREEZE_SECONDS)))
            self._thaws.add(thaw)
            thaw.add_done_callback(self._thaws.discard)

    async def _thaw_later(self, pid: int, seconds: float) -> None:
        await asyncio.sleep(seconds)
        self._thaw(pid)

    def _thaw(self, pid: int) -> None:
        self._frozen.discard(pid)
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGCONT)

    def _thaw_all(self) -> None:
        for pid in set(self._frozen):
            self._thaw(pid)

    def _fault(self) -> dict[str, Any]:
        """Choose one; `path` is left out, so that `/token` is struck as well.

        What nobody runs into within seconds lapses: saved up, faults would only keep the breaker
        open, and a product that asks nothing proves nothing.
        """
        many = self._rng.randint(1, 2)  # The breaker opens at five in a row, for a minute.
        kinds: list[dict[str, Any]] = [
            {"fault": "delay", "milliseconds": self._rng.randint(200, 3_500), "requests": many},
            {"fault": "hang", "requests": 1},
            {"fault": "close", "at": "before", "requests": many},
            {"fault": "close", "at": "before", "charged": False, "requests": many},
            {"fault": "close", "at": "headers", "requests": many},
            {"fault": "close", "at": "middle", "requests": many},
            {"fault": "truncated_gzip", "requests": many},
            {"fault": "garbage", "requests": many},
            {"fault": "status", "status": self._rng.choice((500, 502, 503)), "requests": many},
            {"fault": "status", "status": 504, "charged": True, "requests": many},
            {"fault": "rate_limited", "requests": many},
        ]
        if self._foreign:
            kinds.append({"fault": "foreign_spend", "tokens": self._rng.randint(1, 60)})
        order = self._rng.choice(kinds)
        return order if "tokens" in order else order | {"seconds": LASTING_SECONDS}

    async def _order(self, order: dict[str, Any]) -> None:
        url = f"{self._stack.sandbox_url}/_sandbox/faults"
        async with http_client() as client:
            (await client.post(url, json=order)).raise_for_status()
        self.counts[f"keepa {order['fault']}"] += 1
