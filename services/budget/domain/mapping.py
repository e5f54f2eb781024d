"""Persistent collections: a change returns a new one and leaves the old one as it was."""

from collections.abc import Hashable, Iterable, Iterator, Mapping, Sequence, ValuesView
from itertools import chain
from typing import Any, TypeVar, cast, overload

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")

T = TypeVar("T")
D = TypeVar("D")

BUCKETS = 256  # Copying 256 references costs under a microsecond; 10,000 keys make 40 per bucket.


class Map(Mapping[K, V]):
    """An immutable mapping with cheap single changes, so that a state can be kept and compared.

    A change copies one bucket and the list of buckets, never the whole map.
    """

    __slots__ = ("_buckets", "_size")

    def __init__(self, items: Iterable[tuple[K, V]] = ()) -> None:
        buckets: list[dict[K, V]] = [{} for _ in range(BUCKETS)]
        for key, value in items:
            buckets[hash(key) % BUCKETS][key] = value
        self._buckets = buckets
        self._size = sum(map(len, buckets))

    def __getitem__(self, key: K) -> V:
        return self._buckets[hash(key) % BUCKETS][key]

    def __contains__(self, key: object) -> bool:
        return key in self._buckets[hash(key) % BUCKETS]

    @overload
    def get(self, key: K, default: None = None, /) -> V | None: ...
    @overload
    def get(self, key: K, default: V | D, /) -> V | D: ...
    def get(self, key: K, default: Any = None, /) -> Any:
        """Return the value of ``key``, or the default."""
        return self._buckets[hash(key) % BUCKETS].get(key, default)

    def __iter__(self) -> Iterator[K]:
        return chain.from_iterable(self._buckets)

    def values(self) -> ValuesView[V]:
        """Look at the values without looking each key up once more."""
        return _Values(self)

    def __len__(self) -> int:
        return self._size

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Map) and self._buckets == other._buckets

    __hash__ = None  # type: ignore[assignment]  # equal by content, so it must not be hashed

    def __repr__(self) -> str:
        return f"Map({dict(self)!r})"

    def put(self, key: K, value: V) -> "Map[K, V]":
        """Return this map with ``key`` set to ``value``."""
        place = hash(key) % BUCKETS
        bucket = self._buckets[place]
        changed = bucket.copy()
        changed[key] = value
        return self._with(place, changed, self._size + (key not in bucket))

    def drop(self, key: K) -> "Map[K, V]":
        """Return this map without ``key``; the same map when it is not there."""
        place = hash(key) % BUCKETS
        bucket = self._buckets[place]
        if key not in bucket:
            return self
        changed = bucket.copy()
        del changed[key]
        return self._with(place, changed, self._size - 1)

    def _with(self, place: int, bucket: dict[K, V], size: int) -> "Map[K, V]":
        changed: Map[K, V] = Map.__new__(Map)
        changed._buckets = self._buckets.copy()
        changed._buckets[place] = bucket
        changed._size = size
        return changed


class _Values(ValuesView[V]):
    """The values, bucket after bucket."""

    _mapping: Map[Any, V]

    def __iter__(self) -> Iterator[V]:
        if not self._mapping:
            return iter(())
        return chain.from_iterable(map(dict.values, self._mapping._buckets))  # noqa: SLF001


_EMPTY: Map[Hashable, object] = Map()


def empty() -> Map[K, V]:
    """Return the shared empty map."""
    return cast("Map[K, V]", _EMPTY)


CHUNK = 128


class Chain(Sequence[T]):
    """An immutable sequence that grows at its end without copying what is before it."""

    __slots__ = ("_full", "_last")

    def __init__(self, items: Iterable[T] = ()) -> None:
        every = tuple(items)
        whole = len(every) - len(every) % CHUNK
        self._full = tuple(every[at : at + CHUNK] for at in range(0, whole, CHUNK))
        self._last = every[whole:]

    @overload
    def __getitem__(self, index: int) -> T: ...
    @overload
    def __getitem__(self, index: slice) -> tuple[T, ...]: ...
    def __getitem__(self, index: int | slice) -> T | tuple[T, ...]:
        if index == -1 and self:
            return (self._last or self._full[-1])[-1]
        return tuple(self)[index]

    def __iter__(self) -> Iterator[T]:
        for chunk in self._full:
            yield from chunk
        yield from self._last

    def __len__(self) -> int:
        return CHUNK * len(self._full) + len(self._last)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Chain) and (self._full, self._last) == (other._full, other._last)

    __hash__ = None  # type: ignore[assignment]  # as above

    def __repr__(self) -> str:
        return f"Chain({list(self)!r})"

    def plus(self, item: T) -> "Chain[T]":
        """Return this chain with one more item."""
        grown: Chain[T] = Chain.__new__(Chain)
        grown._full, grown._last = self._full, (*self._last, item)
        if len(grown._last) == CHUNK:
            grown._full, grown._last = (*grown._full, grown._last), ()
        return grown


_NOTHING: Chain[object] = Chain()


def nothing() -> Chain[T]:
    """Return the shared empty chain."""
    return cast("Chain[T]", _NOTHING)
