"""A persistent hash map: setting a key returns a new map and leaves the old one as it was."""

from collections.abc import Hashable, Iterable, Iterator, Mapping
from typing import TypeVar, cast

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")

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

    def __iter__(self) -> Iterator[K]:
        for bucket in self._buckets:
            yield from bucket

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
        return self._with(place, {**bucket, key: value}, self._size + (key not in bucket))

    def drop(self, key: K) -> "Map[K, V]":
        """Return this map without ``key``; the same map when it is not there."""
        place = hash(key) % BUCKETS
        bucket = self._buckets[place]
        if key not in bucket:
            return self
        return self._with(place, {k: v for k, v in bucket.items() if k != key}, self._size - 1)

    def _with(self, place: int, bucket: dict[K, V], size: int) -> "Map[K, V]":
        changed: Map[K, V] = Map.__new__(Map)
        changed._buckets = self._buckets.copy()
        changed._buckets[place] = bucket
        changed._size = size
        return changed


_EMPTY: Map[Hashable, object] = Map()


def empty() -> Map[K, V]:
    """Return the shared empty map."""
    return cast("Map[K, V]", _EMPTY)
