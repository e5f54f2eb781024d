"""Every answer carries Keepa's token fields, and errors look as recorded."""

from collections.abc import Callable
from typing import Any

import pytest

pytestmark = pytest.mark.anyio

BOOK = "0000000000"


def shape(body: Any) -> Any:
    """Reduce a body to its keys and JSON types; texts of errors stay as they are."""
    if isinstance(body, dict):
        return {name: shape(value) for name, value in body.items()}
    return body if isinstance(body, str) else type(body).__name__


async def recorded_error(sample: Callable[[str], Any], number: int) -> Any:
    return sample("errors_real_bodies.json")[number]


async def test_a_token_answer_is_the_bare_envelope(caller: Any, sample: Any) -> None:
    """138 bytes of real /token: seven fields, nothing consumed, keys in alphabetical order."""
    real = sample("token_real_bodies.json")["bodies"][0]

    answer = await caller.get("/token")
    slashed = await caller.get("/token/")

    assert shape(answer.json()) == shape(real)
    assert list(answer.json()) == sorted(real)
    assert answer.json()["tokensLeft"] == slashed.json()["tokensLeft"] == 1_200


async def test_too_few_offers_is_an_error_with_status_200(caller: Any, sample: Any) -> None:
    """G8: HTTP 200 with `error`, no `products`, nothing consumed."""
    real = await recorded_error(sample, 1)

    answer = await caller.get("/product", asin=BOOK, offers=10)

    assert answer.status_code == real["http_status"] == 200
    assert shape(answer.json()) == shape(real["body"])


async def test_a_wrong_selection_is_400_and_names_the_field(caller: Any, sample: Any) -> None:
    """400 consumes nothing; `details` is the field."""
    real = (await recorded_error(sample, 0))["body"]
    real["error"]["details"] = "perPage"

    answer = await caller.get("/query", selection='{"perPage": 5}')

    assert answer.status_code == 400
    assert shape(answer.json()) == shape(real)


async def test_a_selection_that_is_no_json_is_400_without_details(caller: Any, sample: Any) -> None:
    """As recorded for a missing or broken queryJSON."""
    real = (await recorded_error(sample, 3))["body"]

    for selection in ("", "{", "[]", "[" * 9_000):
        answer = await caller.get("/query", selection=selection)
        assert answer.status_code == 400
        assert shape(answer.json()) == shape(real)


@pytest.mark.parametrize("left", [0, -249])
async def test_an_empty_account_gets_the_bare_429(start: Any, sample: Any, left: int) -> None:
    """INC-4: no `error` object, the debt in tokensLeft; /token still answers."""
    real = (await recorded_error(sample, 4))["body"]
    async with start(left=left, rate=5) as caller:
        refused = await caller.get("/product", asin=BOOK)
        token = await caller.get("/token")

        assert refused.status_code == 429
        assert shape(refused.json()) == shape(real)
        assert refused.json()["tokensLeft"] == token.json()["tokensLeft"] == left
        assert token.status_code == 200


async def test_a_bad_key_gets_zeros_that_are_no_balance(start: Any, sample: Any) -> None:
    """G8: an all-zero envelope must not be taken as an empty bucket."""
    real = (await recorded_error(sample, 6))["body"]
    async with start(key="the right one") as caller:
        answer = await caller.get("/product", asin=BOOK)
        keyless = await caller.http.get("/token")

        for refused in (answer, keyless):
            assert refused.status_code == 400
            body = {**refused.json(), "timestamp": real["timestamp"]}
            assert body == real
        assert (await caller.balance())["tokensLeft"] == 1_200


async def test_an_unknown_path_gets_zeros_that_are_no_balance(caller: Any) -> None:
    """A wrong path answers a default body; it was misread as an empty bucket before."""
    answer = await caller.get("/products", asin=BOOK)

    assert answer.status_code == 404
    assert answer.json()["tokensLeft"] == answer.json()["refillRate"] == 0
    assert "error" not in answer.json()


async def test_the_next_tick_is_the_same_instant_in_every_answer(start: Any) -> None:
    """The sum timestamp + processingTimeInMs + refillIn, whatever the calls cost and take."""
    async with start(latency=0.05) as caller:
        bodies = [await caller.body("/token")]
        bodies += [await caller.body("/query", selection="{}") for _ in range(3)]
        bodies += [await caller.body("/product", asin=BOOK) for _ in range(3)]

    fields = ("timestamp", "processingTimeInMs", "refillIn")
    assert len({sum(body[field] for field in fields) for body in bodies}) == 1
    assert max(body["processingTimeInMs"] for body in bodies) > 20


async def test_ticks_add_the_rate_in_one_step(start: Any) -> None:
    """A shortened tick is still a step: the balance stands between ticks."""
    async with start(left=100, tick_ms=400, scale=0) as caller:
        seen = []
        for _ in range(5):
            seen.append((await caller.body("/token"))["tokensLeft"])
            await caller.advance(200)

        assert seen == [100, 100, 120, 120, 140]
        assert (await caller.balance())["refillRate"] == 20


async def test_gzip_is_used_when_the_client_takes_it(caller: Any) -> None:
    """The real API insists on gzip; a client without it must still see the same body."""
    packed = await caller.get("/query", selection="{}")
    plain = await caller.http.get(
        "/query",
        params={"domain": 1, "key": "k", "selection": "{}"},
        headers={"accept-encoding": "identity"},
    )

    assert packed.headers["content-encoding"] == "gzip"
    assert "content-encoding" not in plain.headers
    assert packed.json()["asinList"] == plain.json()["asinList"]


@pytest.mark.parametrize(
    ("path", "params"),
    [
        ("/product", {}),
        ("/product", {"asin": "short"}),
        ("/product", {"asin": BOOK, "code": "9780000000002"}),
        ("/product", {"asin": ",".join([BOOK] * 101)}),
        ("/product", {"asin": BOOK, "domain": 7}),
        ("/product", {"asin": BOOK, "domain": 13}),
        ("/product", {"asin": BOOK, "stats": "soon"}),
        ("/product", {"asin": BOOK, "stats": "2026-02-01,2026-01-01"}),
        ("/product", {"asin": BOOK, "days": 0}),
        ("/product", {"asin": BOOK, "offers": 101}),
        ("/product", {"asin": BOOK, "update": -2}),
        ("/product", {"asin": BOOK, "rating": "maybe"}),
        ("/bestsellers", {}),
        ("/bestsellers", {"category": "books"}),
        ("/bestsellers", {"category": 283155, "range": 31}),
        ("/category", {}),
        ("/category", {"category": ",".join(["5"] * 11)}),
        ("/search", {"term": "python", "type": "seller"}),
        ("/search", {"type": "category"}),
    ],
)
async def test_a_wrong_parameter_costs_nothing(
    caller: Any, path: str, params: dict[str, Any]
) -> None:
    """Nine recorded 400s consumed 0; the envelope is there and true."""
    answer = await caller.get(path, **params)

    assert answer.status_code == 400
    assert answer.json()["error"]["type"] == "invalidParameter"
    assert answer.json()["tokensConsumed"] == 0
    assert answer.json()["tokensLeft"] == 1_200
