"""Links that drop and gateways that are killed between texts: what comes again is known, what a customer says anew counts."""

import asyncio

import pytest
from support.gateways import subscribers
from support.handsets import Handsets, stored
from support.sms_gateway import SmsGateway

GIVER, LEAVER = subscribers(2, balance="100.00")
ROWS = [GIVER, LEAVER]


async def drop(handsets, times, links=1):
    """End the first link as a broken cable does, and wait for its new bind; `times` counts the binds."""
    handsets.server.clients[0]._transport.abort()
    await handsets.bound(times, links)


async def gifts(desk, cause):
    return (await asyncio.to_thread(desk.balances)).get(f"gifts:{cause}", "0.00")


async def test_what_a_customer_says_anew_after_a_drop_counts(tmp_path):
    async with Handsets() as handsets, SmsGateway(tmp_path, handsets.port) as desk:
        await handsets.bound(1)
        await asyncio.to_thread(desk.enrol, ROWS)
        for words in (b"GIVE WATERAID 5", b"YES"):
            assert await handsets.says(GIVER[0], words) == 0
        assert await handsets.says(LEAVER[0], b"STOP") == 0
        await drop(handsets, 2)
        for words in (b"GIVE WWF 10", b"YES"):
            assert await handsets.says(GIVER[0], words) == 0
        for words in (b"START", b"BALANCE", b"STOP"):
            assert await handsets.says(LEAVER[0], words) == 0
        assert (await gifts(desk, "wateraid"), await gifts(desk, "wwf")) == ("5.00", "10.00")
        assert stored(desk, "SELECT msisdn FROM opt_outs") == [(LEAVER[0],)]
        await asyncio.to_thread(desk.check)


@pytest.mark.parametrize("lane", ["process", "thread"])
async def test_what_is_delivered_again_after_a_drop_or_a_kill_takes_no_second_gift_and_is_not_answered(tmp_path, lane):
    async with Handsets() as handsets, SmsGateway(tmp_path, handsets.port, lane=lane) as desk:
        await handsets.bound(1)
        await asyncio.to_thread(desk.enrol, ROWS)
        said = (b"GIVE WATERAID 5", b"YES")
        for words in said:
            assert await handsets.says(GIVER[0], words) == 0
        await handsets.wait(lambda: len(handsets.answers(GIVER[0])) == 2)
        await drop(handsets, 2)
        for words in said:
            assert await handsets.says(GIVER[0], words) == 0
        await asyncio.to_thread(desk.kill)
        await handsets.wait(lambda: not handsets.server.clients)
        await asyncio.to_thread(desk.start)
        await handsets.bound(3)
        for words in said:
            assert await handsets.says(GIVER[0], words) == 0
        await asyncio.sleep(0.5)
        assert len(handsets.answers(GIVER[0])) == 2
        assert await gifts(desk, "wateraid") == "5.00"
        await asyncio.to_thread(desk.check)


async def test_a_yes_by_both_links_of_one_smsc_is_answered_once(tmp_path):
    async with Handsets() as handsets, SmsGateway(tmp_path, handsets.port, handsets.port) as desk:
        await handsets.bound(2, 2)
        await asyncio.to_thread(desk.enrol, ROWS)
        assert await handsets.says(GIVER[0], b"GIVE WATERAID 5") == 0
        for link in (0, 1, 0):
            assert await handsets.says(GIVER[0], b"YES", by=link) == 0
        await handsets.wait(lambda: len(handsets.answers(GIVER[0])) == 2)
        await asyncio.sleep(0.5)
        assert [words[:9] for words in handsets.answers(GIVER[0])] == ["Reply YES", "Thank you"]
        assert await gifts(desk, "wateraid") == "5.00"
