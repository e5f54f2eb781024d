"""What verifications have come to, kept so that the next one need not begin at the first entry."""

from collections.abc import Collection
from contextlib import suppress
from dataclasses import dataclass
from hashlib import blake2b
from uuid import UUID

import msgspec

from services.budget.domain.audit import Audit, Violation
from services.budget.domain.rules import Rules
from services.budget.ports import Checkpoint
from services.budget.storage import snapshots
from services.budget.storage.ledger import PostgresLedger

VERSION = 1  # Raised when an audit changes; the state in it has a version of its own.

# Rows of another version are left aside, and written anew as verifications come by.
_VERSION = VERSION * 1_000_000 + snapshots.VERSION
_NEWEST = """
select audit, made_at from budget.checkpoints
where account = $1 and version = $2 and sequence <= $3 order by sequence desc limit 1
"""
_AT = """
select audit, made_at from budget.checkpoints
where account = $1 and version = $2 and sequence = $3
"""
_KEEP = """
insert into budget.checkpoints (account, version, sequence, made_at, audit)
values ($1, $2, $3, clock_timestamp(), $4)
on conflict (account, sequence) do update set version = excluded.version,
    made_at = excluded.made_at, audit = excluded.audit
where checkpoints.version < excluded.version
    or checkpoints.version = excluded.version and $5
"""
_TWICE = """
select request_id from budget.ledger where request_id = any($1::uuid[])
group by request_id having count(*) > 1
"""


@dataclass(frozen=True, slots=True)
class _Kept:
    state: msgspec.Raw
    violations: tuple[Violation, ...]


_decoder = msgspec.json.Decoder(_Kept)


def encode(audit: Audit) -> bytes:
    """Return an audit as JSON."""
    return msgspec.json.encode(
        {"state": msgspec.Raw(snapshots.encode(audit.state)), "violations": audit.violations}
    )


def decode(data: bytes, rules: Rules) -> Audit:
    """Read an audit under the rules that hold now."""
    kept = _decoder.decode(data)
    return Audit(snapshots.decode(bytes(kept.state), rules), kept.violations)


def digest(data: bytes) -> str:
    """Tell one audit from every other of the same sequence."""
    return blake2b(data, digest_size=16).hexdigest()


class PostgresCheckpoints(PostgresLedger):
    """Implements ``ports.Checkpoints``."""

    async def newest_checkpoint(self, account: str, until: int, rules: Rules) -> Checkpoint | None:
        """Read the last one that is not beyond ``until``."""
        return await self._checkpoint(_NEWEST, account, until, rules)

    async def checkpoint(self, account: str, sequence: int, rules: Rules) -> Checkpoint | None:
        """Read the one at a sequence."""
        return await self._checkpoint(_AT, account, sequence, rules)

    async def keep_checkpoint(self, audit: Audit, *, replace: bool) -> str:
        """Insert it, or put it in the place of one of an older version or, if asked, of any."""
        data, state = encode(audit), audit.state
        await self._fetch(_KEEP, state.account, _VERSION, state.sequence, data, replace)
        return digest(data)

    async def bound_twice(self, ids: Collection[UUID]) -> Collection[UUID]:
        """Look in the index over all request ids."""
        return {row["request_id"] for row in await self._fetch(_TWICE, list(ids))}

    async def _checkpoint(
        self, statement: str, account: str, sequence: int, rules: Rules
    ) -> Checkpoint | None:
        for row in await self._fetch(statement, account, _VERSION, sequence):
            data = row["audit"]
            with suppress(msgspec.MsgspecError):  # A damaged one is as good as none.
                return Checkpoint(decode(data, rules), digest(data), row["made_at"])
        return None
