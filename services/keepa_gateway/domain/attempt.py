"""One request's part in a paid call, from its intent to its settlement, and who asked for it."""

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import IntEnum, StrEnum
from uuid import UUID, uuid5

import msgspec

from services.keepa_gateway.domain.calls import Call
from services.keepa_gateway.domain.envelope import KeepaError, Observation
from services.keepa_gateway.domain.outcome import Verdict

# What a draw on an envelope leaves in the account, whatever its priority; the rule is budget's.
LEFT_BY_DRAWS = 10


class Priority(IntEnum):
    """Whose turn it is when tokens or places are short; the numbers are budget's."""

    INTERACTIVE = 1
    JOB = 2
    BACKGROUND = 3

    @property
    def floor(self) -> int:
        """Tokens that a grant must leave."""
        return 50 if self is Priority.BACKGROUND else 10

    def kept_back(self, burst: int) -> int:
        """Places of a throttle's burst that are left to more urgent callers."""
        return {1: 0, 2: burst // 10, 3: burst // 2}[self]


@dataclass(frozen=True, slots=True, kw_only=True)
class Spending:
    """On whose account a request spends, and how far it may go.

    Attributes:
        envelope: The open reservation to draw on; empty for the account itself.
        max_wait: How long to wait for tokens and for the throttle.
        most_tokens: What the request may reserve at most; 0 for no limit.
    """

    envelope: str = ""
    priority: Priority = Priority.INTERACTIVE
    action: str = ""
    job: str = ""
    max_wait: timedelta = timedelta(0)
    most_tokens: int = 0

    @property
    def floor(self) -> int:
        """Tokens that must be left in the account, so that no call may cost all it can hold."""
        return LEFT_BY_DRAWS if self.envelope else self.priority.floor


@dataclass(frozen=True, slots=True, kw_only=True)
class Asking:
    """One request of a caller.

    Attributes:
        request_id: The caller's; the same again is the same request.
        until: The caller's deadline on the monotonic clock; nothing when there is none.
        max_age: The oldest stored answer that will do.
        fresh_only: An older one is worth nothing, also when nothing else can be had.
    """

    request_id: UUID
    spending: Spending = field(default_factory=Spending)
    until: float | None = None
    max_age: timedelta = timedelta(hours=24)
    cache_only: bool = False
    fresh_only: bool = False


class State(StrEnum):
    """Where an attempt stands."""

    SENT = "sent"  # The intent is stored; the outcome is not.
    ENDED = "ended"  # The outcome is stored.
    FENCED = "fenced"  # Proven never to have been sent, and never to be.


@dataclass(frozen=True, slots=True, kw_only=True)
class Intent:
    """What is stored before a call leaves.

    Attributes:
        attempt_id: At the same time the request id of its reservation.
        call_id: The HTTP call it is part of, which several requests may share.
        number: Which call of the request it is, from 0.
        content: Hash of the request, to tell another one under the same id.
        keys: What of other requests waits for this one's answer, by subject.
        bound: Tokens held.
        after_sequence: The newest ledger entry read before the call leaves.
        deadline: After this long the answer is given up.
        covers_until: The last instant of the monotonic clock that its hold covers.
    """

    attempt_id: UUID
    call_id: UUID
    request_id: UUID
    number: int
    content: str
    endpoint: str
    fingerprint: str
    keys: Mapping[str, str]
    reservation: str
    bound: int
    after_sequence: int
    deadline: timedelta
    covers_until: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Charge:
    """What an attempt cost for certain, as budget is told.

    Attributes:
        consumed: Tokens, of all that the call cost the attempt's own share.
        sent: Whether anything left; what did not gives its hold back.
        observation: The balance that the answer stated.
        after_sequence: The newest ledger entry read before the call left.
    """

    attempt_id: UUID
    reservation: str
    consumed: int
    sent: bool
    observation: Observation | None
    after_sequence: int


def charge(
    part: "Intent | Attempt",
    *,
    consumed: int | None,
    verdict: Verdict | None,
    observation: Observation | None,
) -> Charge | None:
    """Say what budget is told of a part of a call; nothing while nobody knows what it cost."""
    if consumed is None:
        return None
    return Charge(
        attempt_id=part.attempt_id,
        reservation=part.reservation,
        consumed=consumed,
        sent=verdict is not Verdict.UNSENT,
        observation=observation,
        after_sequence=part.after_sequence,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Attempt:
    """An attempt as stored.

    Attributes:
        found: The ASINs that answered each subject; empty where there was none.
        reason: Why it brought nothing; empty when it did.
        error: What Keepa itself said about it.
        settled: Whether budget knows the outcome.
        http_status: Of Keepa's answer; nothing when none came.
    """

    attempt_id: UUID
    request_id: UUID
    number: int
    content: str
    endpoint: str
    fingerprint: str
    subjects: tuple[str, ...]
    found: Mapping[str, tuple[str, ...]]
    reservation: str
    bound: int
    after_sequence: int
    state: State
    verdict: Verdict | None
    consumed: int | None
    observation: Observation | None
    reason: str
    error: KeepaError | None
    started_at: datetime
    ended_at: datetime | None
    settled: bool
    http_status: int | None = None

    @property
    def answered(self) -> bool:
        """Whether it brought an answer that is kept."""
        return self.verdict is Verdict.ANSWERED

    @property
    def charge(self) -> Charge | None:
        """What budget is to be told; nothing while nobody knows what it cost."""
        return charge(
            self, consumed=self.consumed, verdict=self.verdict, observation=self.observation
        )

    def tokens_of(self, subject: str) -> int:
        """The share of its cost that falls on one subject; the first carry the remainder."""
        count, consumed = len(self.subjects), self.consumed or 0
        if not count:
            return consumed
        return consumed // count + int(self.subjects.index(subject) < consumed % count)

    @property
    def unsettled_each(self) -> int:
        """What is still held for each subject, as nobody said what the call cost."""
        if self.settled or self.consumed is not None:
            return 0
        return -(-self.bound // max(len(self.subjects), 1))


def spent(attempts: Iterable[Attempt]) -> int:
    """The most that a request's calls can have cost so far, in tokens."""
    sent = (one for one in attempts if one.state is not State.FENCED)
    return sum(one.bound if one.consumed is None else one.consumed for one in sent)


def attempt_id(request_id: UUID, number: int) -> UUID:
    """The id of the ``number``-th call of a request: the same again after a crash."""
    return uuid5(request_id, f"call {number}")


def content_hash(*parts: object) -> str:
    """A fingerprint of what a request asks for."""
    return hashlib.sha256(msgspec.json.encode(parts, enc_hook=repr)).hexdigest()


def list_key(call: Call) -> str:
    """What identical list requests share while one of them is out."""
    return f"{call.endpoint}:{call.fingerprint}"
