"""The persistent map: whatever was made of it since, a version reads as it always did."""

from hypothesis import given, settings
from hypothesis import strategies as st

from services.budget.domain import mapping
from services.budget.domain.mapping import Map, empty

KEYS = st.integers(0, 3)
BACK = st.sampled_from([0, 0, 0, 0, 1, 2, 3, 5, 8, 13, 21])  # From the newest version on.
STEPS = st.lists(
    st.tuples(st.sampled_from(["put", "put", "drop", "get", "items", "same"]), BACK, KEYS),
    max_size=60,
)


@settings(deadline=None)
@given(STEPS, st.integers(1, 8), st.integers(0, 8))
def test_every_version_stays_what_it_was(
    steps: list[tuple[str, int, int]], way: int, changes: int
) -> None:
    """Decisions branch off old states when a batch has to be decided again; none may notice."""
    longest, least = mapping.LONGEST_WAY, mapping.LEAST_CHANGES
    mapping.LONGEST_WAY, mapping.LEAST_CHANGES = way, changes
    versions: list[tuple[Map[int, int], dict[int, int]]] = [(empty(), {})]
    try:
        for number, (step, place, key) in enumerate(steps):
            one, told = versions[-1 - place % len(versions)]
            if step == "put":
                versions.append((one.put(key, number), {**told, key: number}))
            elif step == "drop":
                versions.append((one.drop(key), {k: v for k, v in told.items() if k != key}))
            elif step == "get":
                assert (one.get(key), key in one) == (told.get(key), key in told)
            elif step == "items":
                assert sorted(one.items()) == sorted(told.items())
            else:
                assert one == Map(told)
    finally:
        mapping.LONGEST_WAY, mapping.LEAST_CHANGES = longest, least

    for one, told in versions:
        assert (len(one), dict(one), sorted(one.values())) == (
            len(told),
            told,
            sorted(told.values()),
        )
        assert all(one.get(key) == told.get(key) for key in range(5))
    assert len(empty()) == 0


def test_a_kept_version_does_not_keep_what_came_after_it() -> None:
    """A reader that holds one state for hours must not hold the changes of hours with it."""
    kept = Map({0: 0})
    latest = kept
    for number in range(3 * mapping.LEAST_CHANGES):
        latest = latest.put(number, number)

    after = 0
    version: Map[int, int] | None = kept
    while version is not None:
        version, after = version._newer, after + 1

    assert after <= mapping.LEAST_CHANGES + 1
    assert dict(kept) == {0: 0}
