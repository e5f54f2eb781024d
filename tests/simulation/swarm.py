"""What one seed is about: its topology, its load, and its own mix of what goes wrong."""

from dataclasses import dataclass, replace
from random import Random
from typing import Any

DEADLINE = 20.0  # Seconds that a call may be on its way: its class.


@dataclass(frozen=True, kw_only=True)
class Mix:
    """One draw of the swarm; a probability of 0 leaves a fault out of this run.

    Attributes:
        busy: Seconds of load and faults, before everything must come to rest.
        pace: Mean seconds between two requests of one caller.
        latency: Mean seconds of a hop between processes.
    """

    replicas: int
    accounts: int
    callers: int
    rate: int
    share: float  # Of the capacity, at the start.
    busy: float
    pace: float
    latency: float
    patience: float  # Of requests that wait for tokens.
    jobs: float  # Of requests that are many calls under an envelope.
    pulse: float  # Seconds between looks at the queue.
    sweep: float
    shortcut: bool = True  # Batches are stored by one statement where that is safe.
    reconcile: float = 20.0  # Seconds between two rounds of the reconciler, at most.
    bell: bool = True  # Replicas hear at once of what others wrote.
    silent: bool = False  # Nobody asks for a balance while all is well.
    readers: bool = False  # Somebody watches the accounts.
    wrong_key: float = 0.0
    lost_answer: float = 0.0
    lost_request: float = 0.0
    bare_answer: float = 0.0  # Without a balance.
    not_sent: float = 0.0
    overrun: float = 0.0
    late_commit: float = 0.0
    repeat: float = 0.0
    race: float = 0.0
    abuse: float = 0.0
    death: float = 0.0  # Of callers and gateways, at any moment.
    lost_rpc: float = 0.0
    crash: float = 0.0  # Of replicas, at an append.
    broken: float = 0.0  # Connections to the database, at an append.
    foreign: float = 0.0  # Mean seconds between two uses by a stranger; 0 for none.
    old_reports: float = 0.0
    gift: bool = False
    lie: float = 0.0
    plan: int = 0
    reduction: float = 0.0
    clock_step: float = 0.0
    liar: float = 0.0  # Gateways that give back what they sent.
    edge: bool = False  # Waits end at ticks, and holds are renewed as they expire.
    skew: float = 0.0  # By which share the clocks of replicas run fast or slow, at most.


# A stranger at a full bucket, while calls that are told late keep every comparison open.
RAID: dict[str, Any] = {
    "rate": 60,
    "share": 1.0,
    "pace": 30.0,
    "callers": 4,
    "latency": 0.3,
    "jobs": 0.0,
    "late_commit": 0.8,
    "bare_answer": 0.5,
    "lost_answer": 0.0,
    "foreign": 25.0,
    "gift": False,
    "lie": 0.0,
    "plan": 0,
    "reduction": 0.0,
    "clock_step": 0.0,
    "liar": 0.0,
}


# Two or three things at once that the swarm seldom puts together.
RAIDS: tuple[dict[str, Any], ...] = (
    # Another plan while answers are lost, and told after all when it has come.
    {"plan": 60, "lost_answer": 0.5, "late_commit": 0.6, "clock_step": 0.0, "lie": 0.0},
    {"plan": 5, "lost_answer": 0.5, "late_commit": 0.6, "clock_step": 0.0, "lie": 0.0},
    # Children that cost more than they held, told when their envelope has ended.
    {"jobs": 0.9, "overrun": 0.5, "late_commit": 0.5, "share": 0.6, "clock_step": 0.0},
    # A short queue whose head gives up at the tick that would serve it; renewals at expiry.
    {"edge": True, "patience": 0.9, "share": 0.03, "pace": 8.0, "jobs": 0.2, "latency": 0.002},
    {"edge": True, "patience": 0.9, "share": 0.1, "late_commit": 0.5, "lost_answer": 0.3},
    # A debt that no tick pays: trackings take all of the refill.
    {"rate": 20, "plan": 0, "reduction": 20.0, "overrun": 0.4, "share": 0.1, "patience": 0.8},
    # The first balances are none, and later ones seldom are.
    {"wrong_key": 0.7, "lost_answer": 0.4, "patience": 0.8},
    # Clocks of replicas that drift apart, on two accounts.
    {"skew": 0.05, "replicas": 3, "accounts": 2, "shortcut": True, "patience": 0.8, "edge": True},
)


def draw(seed: int) -> Mix:
    """Draw the mix of a seed; about half of the faults are left out of each."""
    rng = Random(f"mix {seed}")

    def sometimes(most: float, chance: float = 0.4) -> float:
        return rng.random() * most if rng.random() < chance else 0.0

    rate = rng.choice((5, 20, 20, 60))
    mix = Mix(
        replicas=rng.choice((1, 2, 2, 2, 3)),
        accounts=rng.choice((1, 1, 1, 2)),
        callers=rng.randint(2, 4),
        rate=rate,
        share=rng.choice((0.03, 0.1, 0.3, 0.6, 0.97, 1.0)),
        busy=rng.uniform(60, 140),
        pace=rng.choice((8.0, 15.0, 30.0)),
        latency=rng.choice((0.002, 0.02, 0.3)),
        patience=rng.choice((0.0, 0.3, 0.8)),
        jobs=rng.choice((0.0, 0.2, 0.5)),
        pulse=rng.choice((4.0, 9.0)),
        sweep=rng.choice((5.0, 11.0)),
        shortcut=rng.random() < 0.7,
        reconcile=rng.choice((20.0, 20.0, 120.0)),
        bell=rng.random() < 0.5,
        silent=rng.random() < 0.1,
        readers=rng.random() < 0.2,
        wrong_key=sometimes(0.2, 0.2),
        lost_answer=sometimes(0.4),
        lost_request=sometimes(0.2),
        bare_answer=sometimes(0.5),
        not_sent=sometimes(0.3),
        overrun=sometimes(0.2, 0.2),
        late_commit=sometimes(0.3),
        repeat=sometimes(0.5),
        race=sometimes(0.3),
        abuse=sometimes(0.4),
        death=sometimes(0.2),
        lost_rpc=sometimes(0.15),
        crash=sometimes(0.06),
        broken=sometimes(0.1),
        foreign=rng.uniform(15, 90) if rng.random() < 0.25 else 0.0,
        old_reports=sometimes(0.5),
        gift=rng.random() < 0.15,
        lie=sometimes(0.7, 0.12),
        plan=rng.choice((5, 10, 20, 60)) if rng.random() < 0.1 else 0,
        reduction=rng.choice((0.9, 2.7, 4.5)) if rng.random() < 0.1 else 0.0,
        clock_step=rng.choice((-500.0, -90.0, -2.0, 600.0)) if rng.random() < 0.2 else 0.0,
        liar=sometimes(0.3, 0.08),
    )
    if rng.random() < 0.08:
        return replace(mix, **RAID)
    return replace(mix, **rng.choice(RAIDS)) if rng.random() < 0.1 else mix
