"""The stand-in breaks on the wire as it was told to, and keeps the truth meanwhile."""

import asyncio
from typing import Any

import httpx
import pytest

pytestmark = pytest.mark.anyio

UNKNOWN = "B000000000"


async def ask(caller: Any) -> httpx.Response:
    answer: httpx.Response = await caller.get("/product", asin=UNKNOWN, stats=90)
    return answer


async def charged(caller: Any) -> int:
    """Return what the last request really cost."""
    return int((await caller.truth())[-1]["tokensConsumed"])


async def test_a_storm_of_429_ends_after_its_requests(caller: Any) -> None:
    """INC-4: three 429s in a row, nothing consumed, then all is well."""
    await caller.order(fault="rate_limited", requests=3, tokensLeft=-17)

    answers = [await ask(caller) for _ in range(4)]

    assert [answer.status_code for answer in answers] == [429, 429, 429, 200]
    assert answers[0].json()["tokensLeft"] == -17
    assert "error" not in answers[0].json()
    assert (await caller.balance())["tokensLeft"] == 1_199


async def test_a_proxy_error_is_no_json_and_costs_nothing_unless_told(caller: Any) -> None:
    """503 appears in no client; its outcome is unknown to the caller and known to the truth."""
    await caller.order(fault="status", status=503)
    unpaid = await ask(caller)
    assert (unpaid.status_code, await charged(caller)) == (503, 0)

    await caller.order(fault="status", status=500, charged=True)
    paid = await ask(caller)
    assert (paid.status_code, await charged(caller)) == (500, 1)
    assert "html" in paid.headers["content-type"]


@pytest.mark.parametrize("at", ["before", "headers", "middle"])
async def test_a_cut_connection_loses_an_answer_that_was_paid(caller: Any, at: str) -> None:
    """The worst case of accounting: the money is gone and nobody said so."""
    await caller.order(fault="close", at=at)

    with pytest.raises(httpx.TransportError):
        await ask(caller)

    assert await charged(caller) == 1
    assert (await ask(caller)).status_code == 200


async def test_a_cut_before_the_work_costs_nothing(caller: Any) -> None:
    """The other half of an unknown outcome."""
    await caller.order(fault="close", charged=False)

    with pytest.raises(httpx.TransportError):
        await ask(caller)

    assert await charged(caller) == 0


async def test_broken_bodies_arrive_whole_for_http(caller: Any) -> None:
    """Neither a cut gzip stream nor a page of garbage is an error of transport: only JSON fails."""
    await caller.order(fault="truncated_gzip")
    await caller.order(fault="garbage")

    answers = [await ask(caller) for _ in range(2)]

    assert [answer.status_code for answer in answers] == [200, 200]
    for answer in answers:
        with pytest.raises(ValueError, match=r"Expecting|decode|Unterminated"):
            answer.json()
    assert [line["tokensConsumed"] for line in await caller.truth()] == [1, 1]


async def test_a_lying_balance_lies_in_the_answer_only(caller: Any) -> None:
    """INC-3: an envelope that claims too much must not be believed for long."""
    await caller.order(fault="lying_balance", offset=500)
    await caller.order(fault="lying_balance", tokensLeft=5)

    lies = [(await ask(caller)).json()["tokensLeft"] for _ in range(2)]

    assert lies == [1_699, 5]
    assert [line["tokensLeft"] for line in await caller.truth()] == [1_199, 1_198]


async def test_a_slow_answer_is_charged_when_it_is_made(caller: Any) -> None:
    """`timestamp` is the arrival, tokensLeft that of the answer: others spend in between."""
    await caller.order(fault="delay", milliseconds=1_500, path="/product")
    slow = asyncio.create_task(ask(caller))
    await caller.struck()
    meanwhile = (await caller.body("/token"))["tokensLeft"]

    body = (await slow).json()

    assert meanwhile == 1_200
    assert body["tokensLeft"] == 1_199
    assert body["processingTimeInMs"] >= 1_500


async def test_two_slow_calls_pass_the_gate_with_one_token(start: Any) -> None:
    """The gate is tokensLeft > 0 at arrival, so that concurrency alone makes debt."""
    async with start(left=1) as caller:
        await caller.order(fault="delay", milliseconds=3000, requests=3, path="/product")
        answers = await asyncio.gather(*(ask(caller) for _ in range(3)))
        late = await ask(caller)

        assert [answer.status_code for answer in answers] == [200, 200, 200]
        assert (late.status_code, late.json()["tokensLeft"]) == (429, -2)
        assert (await caller.balance())["minimum"] == -2


async def test_a_hanging_answer_ends_when_the_client_goes(caller: Any) -> None:
    """A gateway's total deadline must be what ends it; the charge stands."""
    await caller.order(fault="hang")

    with pytest.raises(httpx.ReadTimeout):
        await caller.http.get(
            "/product",
            params={"domain": 1, "key": "k", "asin": UNKNOWN},
            timeout=httpx.Timeout(10, read=0.2),
        )
    while not await caller.truth():  # noqa: ASYNC110 - it is the server's state
        await asyncio.sleep(0.01)

    assert await charged(caller) == 1


async def test_clearing_the_faults_cuts_what_hangs(caller: Any) -> None:
    """A test can end its own storm."""
    await caller.order(fault="hang", seconds=60)
    hanging = asyncio.create_task(ask(caller))
    while not await caller.truth():  # noqa: ASYNC110 - it is the server's state
        await asyncio.sleep(0.01)

    await caller.order(fault="clear")

    with pytest.raises(httpx.TransportError):
        await hanging
    assert (await ask(caller)).status_code == 200


async def test_foreign_spending_takes_tokens_without_a_request(caller: Any) -> None:
    """Somebody else's use of the key: in the truth as such, never as a request of ours."""
    await caller.order(fault="foreign_spend", tokens=1_250)

    refused = await ask(caller)

    lines = await caller.truth()
    balance = await caller.balance()
    assert refused.status_code == 429
    assert [line["kind"] for line in lines] == ["foreign", "request"]
    assert balance["minimum"] == -50
    assert balance["minimumByRequests"] == 1_200


async def test_a_plan_change_shows_at_once(caller: Any) -> None:
    """Rate and capacity are learned by clients, so they must be able to change."""
    await caller.order(fault="plan", rate=60, flowReduction=0.9)

    body = await caller.body("/token")

    assert (body["refillRate"], body["tokenFlowReduction"]) == (60, 0.9)
    assert (await caller.balance())["capacity"] == 3_600


@pytest.mark.parametrize(
    "order",
    [
        {"fault": "meteor"},
        {"fault": "hang", "forever": True},
        {"fault": "foreign_spend", "tokens": 0},
        {"fault": "plan", "rate": 0},
        {},
    ],
)
async def test_an_order_that_makes_no_sense_is_refused(caller: Any, order: dict[str, Any]) -> None:
    """With a sentence, and without arming anything."""
    refused = await caller.order(**order)

    assert refused.status_code == 400
    assert refused.json()["error"]
    assert (await caller.http.get("/_sandbox/faults")).json() == []


async def test_a_control_that_is_no_json_is_refused(caller: Any) -> None:
    answer = await caller.http.post("/_sandbox/faults", content=b"storm!")

    assert answer.status_code == 400


async def test_faults_strike_requests_and_not_the_controls(caller: Any) -> None:
    """The truth must stay readable in any storm."""
    await caller.order(fault="status", seconds=30)

    health = await caller.http.get("/_sandbox/health")

    assert health.json() == {"status": "SERVING"}
    assert (await caller.http.get("/_sandbox/truth")).status_code == 200
