"""More texts in than the gateway can take: they are refused for a while, and acted on once when they come again."""

import asyncio
from collections import Counter

from support.gateways import subscribers
from support.handsets import Handsets, received, store_held, stored
from support.log_lines import lines_of, stood_for
from support.sms_gateway import SmsGateway, text

from gateway.store.lane import MAX_BATCH, MAX_WAITING
from protocols.smpp.errors import CommandStatus
from protocols.smpp.limits import Limits
from protocols.smpp.node_events import ClientDown

GIVERS = subscribers(40)
OWED = Limits().outstanding
ELSEWHERE = "70071"
"""A number without services: texts to it are taken and told of, and not answered."""
LATER = CommandStatus.ESME_RX_T_APPN


async def test_texts_beyond_what_a_link_may_owe_come_again_and_each_moves_money_once(tmp_path):
    numbers = [row[0] for row in GIVERS]
    async with Handsets() as handsets, SmsGateway(tmp_path, handsets.port) as desk:
        await handsets.bound(1)
        await asyncio.to_thread(desk.enrol, GIVERS)
        asked = [handsets.say(number, b"GIVE WATERAID 1") for number in numbers]
        assert set(await asyncio.gather(*asked)) == {0}
        with store_held(desk):
            taken = [handsets.say(f"4479{n:08d}", b"hello", to=ELSEWHERE) for n in range(OWED)]
            for _ in range(2):
                refused = [handsets.say(number, b"YES") for number in numbers]
                assert set(await asyncio.gather(*refused)) == {LATER}
            assert not any(future.done() for future in taken)
            assert desk.get("/livez")[0] == 200
        assert Counter(await asyncio.gather(*taken)) == {0: OWED}
        again = [handsets.say(number, b"YES") for number in numbers]
        assert set(await asyncio.gather(*again)) == {0}
        await handsets.wait(lambda: all(len(handsets.answers(number)) == 2 for number in numbers))
        (link,) = await desk.run("link", "list")
        assert link["counters"]["refused"] == 2 * len(numbers)
        assert (await asyncio.to_thread(desk.balances))["gifts:wateraid"] == f"{len(numbers)}.00"
        await asyncio.to_thread(desk.check)
        assert not [event for event in handsets.events if isinstance(event, ClientDown)]
    assert sorted(received(desk).values()) == [1] * OWED + [2] * len(numbers)
    assert stood_for(lines_of(desk, "smpp.message.rejected")) == 2 * len(numbers)


async def test_while_the_store_is_slow_a_yes_by_two_links_takes_one_gift_and_the_last_stop_counts(tmp_path):
    giver, leaver = GIVERS[0][0], GIVERS[1][0]
    async with Handsets() as handsets, SmsGateway(tmp_path, handsets.port, handsets.port) as desk:
        await handsets.bound(2, 2)
        await asyncio.to_thread(desk.enrol, GIVERS)
        assert await handsets.says(giver, b"GIVE WATERAID 5") == 0
        with store_held(desk):
            said = [handsets.say(giver, b"YES", by=place % 2) for place in range(4)]
            said += [handsets.say(leaver, words) for words in (b"STOP", b"START", b"STOP", b"STOP")]
            await asyncio.sleep(1.0)
            assert not any(future.done() for future in said)
        assert set(await asyncio.gather(*said)) == {0}
        await handsets.wait(lambda: len(handsets.answers(giver)) == len(handsets.answers(leaver)) == 2)
        assert (await asyncio.to_thread(desk.balances))["gifts:wateraid"] == "5.00"
        assert stored(desk, "SELECT msisdn FROM opt_outs") == [(leaver,)]
        await asyncio.sleep(0.3)
        assert [words[:9] for words in handsets.answers(giver)] == ["Reply YES", "Thank you"]


async def test_texts_beyond_what_the_lane_holds_come_again_by_any_link_and_none_is_lost_or_doubled(tmp_path):
    links, per_link = (MAX_WAITING + MAX_BATCH) // OWED + 2, OWED
    numbers = [f"4479{n:08d}" for n in range(links * per_link)]
    async with Handsets() as handsets, SmsGateway(tmp_path, *[handsets.port] * links) as desk:
        await handsets.bound(links, links)
        with store_held(desk):
            said = {
                number: handsets.say(number, b"hello", to=ELSEWHERE, by=place % links)
                for place, number in enumerate(numbers)
            }
            await handsets.wait(
                lambda: sum(future.done() for future in said.values()) >= len(said) - MAX_WAITING - MAX_BATCH
            )
            assert {future.result() for future in said.values() if future.done()} == {LATER}
            status, told, _ = await asyncio.to_thread(desk.ask, "/v1/sms", text("not now"))
            assert (status, told["code"]) == (503, "store.overloaded")
        while said:
            statuses = dict(zip(said, await asyncio.gather(*said.values()), strict=True))
            assert set(statuses.values()) <= {0, LATER}
            refused = [number for number, status in statuses.items() if status]
            said = {
                number: handsets.say(number, b"hello", to=ELSEWHERE, by=place % links)
                for place, number in enumerate(refused)
            }
        assert (await asyncio.to_thread(desk.ask, "/v1/sms", text("now")))[0] == 202
    assert len(received(desk)) == len(numbers)
    assert set(received(desk).values()) == {1}
    assert "Traceback" not in desk.log.read_text()
