"""Persistent collections: a change returns a new one and leaves the old one as it was."""
# ruff: noqa: SLF001 - versions of one map look into each other

from collections.abc import Hashable, ItemsView, Iterable, Iterator, Mapping, Sequence, ValuesView
from typing import Any, Final, TypeVar, cast, overload

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")

T = TypeVar("T")
D = TypeVar("D")

LONGEST_WAY = 64  # Changes that a reader of an old version looks through before it takes a copy.
LEAST_CHANGES = 1024  # Of one dict before it is copied; else as many as make a copy cheap.
_ABSENT: Final[Any] = object()


class Map(Mapping[K, V]):
    """An immutable mapping with cheap single changes, so that a state can be kept and compared.

    Versions share one dict, which holds what the newest of them does; an older one remembers
    what the change after it replaced. So a change of the newest version, which is what a ledger
    does all day, costs the same at any size. Changing an old version copies it, and so does
    reading one that lies far back. The dict is copied once in a while, so that an old version
    that somebody keeps does not keep all that came after it.

    For one thread: below its surface a version changes when the next one is made.

    Source: Baker, Shallow binding makes functional arrays fast, SIGPLAN Notices 26(8), 1991.
    """

    __slots__ = ("_changes", "_items", "_key", "_newer", "_replaced", "_size")

    _items: dict[K, V]
    _size: int
    _changes: int  # How many more the dict may see.
    _newer: "Map[K, V] | None"
    _key: K  # What the newer version changed,
    _replaced: V  # and what this one has there.

    def __init__(self, items: Iterable[tuple[K, V]] | Mapping[K, V] = ()) -> None:
        self._own(dict(items))

    def __getitem__(self, key: K) -> V:
        found = self.get(key, _ABSENT)
        if found is _ABSENT:
            raise KeyError(key)
        return cast("V", found)

    def __contains__(self, key: object) -> bool:
        return self.get(cast("K", key), _ABSENT) is not _ABSENT

    @overload
    def get(self, key: K, default: None = None, /) -> V | None: ...
    @overload
    def get(self, key: K, default: V | D, /) -> V | D: ...
    def get(self, key: K, default: Any = None, /) -> Any:
        """Return the value of ``key``, or the default."""
        if not self._size:
            return default
        if self._newer is None:
            return self._items.get(key, default)
        version: Map[K, V] = self
        for _ in range(LONGEST_WAY):
            if version._newer is None:
                return version._items.get(key, default)
            if version._key == key:
                return default if version._replaced is _ABSENT else version._replaced
            version = version._newer
        self._own(self._content())
        return self._items.get(key, default)

    def __iter__(self) -> Iterator[K]:
        return iter(list(self._content()))

    def values(self) -> ValuesView[V]:
        """Look at the values of this version, whatever is changed meanwhile."""
        return _Values(self)

    def items(self) -> ItemsView[K, V]:
        """Look at the items of this version, whatever is changed meanwhile."""
        return _Items(self)

    def __len__(self) -> int:
        return self._size

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Map) and self._content() == other._content()

    __hash__ = None  # type: ignore[assignment]  # equal by content, so it must not be hashed

    def __repr__(self) -> str:
        return f"Map({self._content()!r})"

    def put(self, key: K, value: V) -> "Map[K, V]":
        """Return this map with ``key`` set to ``value``."""
        if self._newer is not None or not self._changes or not self._size:
            changed: Map[K, V] = Map(self._content())
            changed._items[key] = value
            changed._size = len(changed._items)
            return changed
        items = self._items
        replaced = items.get(key, _ABSENT)
        items[key] = value
        return self._superseded(key, replaced)

    def drop(self, key: K) -> "Map[K, V]":
        """Return this map without ``key``; the same map when it is not there."""
        if not self._size or key not in self:
            return self
        if self._newer is not None or not self._changes:
            changed: Map[K, V] = Map(self._content())
            del changed._items[key]
            changed._size -= 1
            return changed
        return self._superseded(key, self._items.pop(key))

    def _superseded(self, key: K, replaced: V) -> "Map[K, V]":
        """Become an old version: the dict is already the new one's."""
        newer: Map[K, V] = Map.__new__(Map)
        newer._items = self._items
        newer._size = len(self._items)
        newer._changes = self._changes - 1
        newer._newer = None
        self._key, self._replaced, self._newer = key, replaced, newer
        return newer

    def _own(self, items: dict[K, V]) -> None:
        """Become the only version, and so the newest, of a dict."""
        self._items = items
        self._size = len(items)
        self._changes = max(LEAST_CHANGES, 2 * len(items))
        self._newer = None

    def _content(self) -> dict[K, V]:
        """Return the dict of this version; of the newest it is the dict that others share."""
        if self._newer is None:
            return self._items
        passed: list[Map[K, V]] = []
        version: Map[K, V] = self
        while version._newer is not None:
            passed.append(version)
            version = version._newer
        items = version._items.copy()
        for older in reversed(passed):
            if older._replaced is _ABSENT:
                del items[older._key]
            else:
                items[older._key] = older._replaced
        return items


class _Values(ValuesView[V]):
    """The values as they are when one begins to look."""

    _mapping: Map[Any, V]

    def __iter__(self) -> Iterator[V]:
        return iter(list(self._mapping._content().values()))


class _Items(ItemsView[K, V]):
    """The items as they are when one begins to look."""

    _mapping: Map[K, V]

    def __iter__(self) -> Iterator[tuple[K, V]]:
        return iter(list(self._mapping._content().items()))


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
