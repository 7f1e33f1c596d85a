"""Parts of texts in that the gateway has when it is killed: what comes afterwards makes them whole, and it acts once."""

import asyncio
import itertools
import sqlite3
from contextlib import closing

import msgspec
import pytest
from support.gateways import subscribers
from support.handsets import Handsets, by_8_bits, by_16_bits, by_sar, received, stored
from support.sms_gateway import SmsGateway

ORDERS = list(itertools.permutations((1, 2, 3)))
KINDS = (by_8_bits, by_16_bits, by_sar)
SAME_REFERENCE = 9
POUND_SIGN = "\x01"
"""Of the GSM alphabet (3GPP TS 23.038 §6.2.1)."""
WISHES = {"WaterAid": (b"GIVE", b" WATER", b"AID "), "WWF-UK": (b"GIVE ", b"WW", b"F ")}


class Writer(msgspec.Struct, frozen=True):
    """A customer whose one text comes in three parts, in this order, told apart in this way."""

    number: str
    order: tuple[int, ...]
    kind: object
    cause: str
    pounds: int

    def part(self, place):
        """Fields of the part that comes at this place."""
        number = self.order[place]
        piece = WISHES[self.cause][number - 1] + (str(self.pounds).encode() if number == 3 else b"")
        return self.kind(SAME_REFERENCE, 3, number, piece)


def writers(numbers):
    """Two customers for each order and kind, both by the same reference; no other asks for the same gift in this order."""
    cases = itertools.product(ORDERS, KINDS, WISHES)
    return [
        Writer(number, order, kind, cause, 1 + ORDERS.index(order))
        for number, (order, kind, cause) in zip(numbers, cases, strict=True)
    ]


async def all_say(handsets, everyone, place):
    """Deliver one part of everyone at once; all are taken."""
    said = [handsets.say(one.number, **one.part(place)) for one in everyone]
    assert set(await asyncio.gather(*said)) == {0}


async def test_parts_in_every_order_are_joined_across_kills_and_each_text_acts_once(tmp_path):
    rows = subscribers(len(ORDERS) * len(KINDS) * len(WISHES), balance="20.00")
    everyone = writers([row[0] for row in rows])
    async with Handsets() as handsets:
        desk = SmsGateway(tmp_path, handsets.port)
        await asyncio.to_thread(desk.enrol, rows)
        async with desk:
            for place in range(3):
                await handsets.bound(place + 1)
                if place:  # taken before the kill, but who knows whether the answer got out: it comes again
                    await all_say(handsets, everyone, place - 1)
                await all_say(handsets, everyone, place)
                if place < 2:
                    assert len(stored(desk, "SELECT 1 FROM segments")) == (place + 1) * len(everyone)
                    assert not handsets.told
                    await asyncio.to_thread(desk.kill)
                    await asyncio.to_thread(desk.start)
            await handsets.wait(lambda: all(handsets.answers(one.number) for one in everyone))
            # Each question is noted as sent: by the policy `resend`, one that is not would go out again after the kill.
            await handsets.wait(lambda: len(stored(desk, "SELECT 1 FROM awaited_receipts")) == len(everyone))
            await asyncio.to_thread(desk.kill)
            await asyncio.to_thread(desk.start)
            await handsets.bound(4)
            await all_say(handsets, everyone, 2)
            for one in everyone:
                assert await handsets.says(one.number, b"YES") == 0
            await handsets.wait(lambda: all(len(handsets.answers(one.number)) == 2 for one in everyone))
            gifts = await asyncio.to_thread(desk.balances)
            await asyncio.to_thread(desk.check)
    for one in everyone:
        first, second = sorted(handsets.answers(one.number), key=lambda words: "Reply YES" not in words)
        assert f"{POUND_SIGN}{one.pounds}.00" in first, one
        assert one.cause in first, one
        assert "Thank" in second, one
    total = len(KINDS) * sum(range(1, 1 + len(ORDERS)))
    assert (gifts["gifts:wateraid"], gifts["gifts:wwf"]) == (f"{total}.00", f"{total}.00")
    assert set(received(desk).values()) == {2}
    assert stored(desk, "SELECT * FROM segments") == []


@pytest.mark.parametrize("kind", KINDS)
async def test_parts_with_equal_words_that_come_at_once_are_each_a_part(tmp_path, kind):
    (row,) = subscribers(1, balance="20.00")
    async with Handsets() as handsets, SmsGateway(tmp_path, handsets.port) as desk:
        await handsets.bound(1)
        await asyncio.to_thread(desk.enrol, [row])
        pieces = (b"GIVE WATERAID ", b"1", b"1")
        said = [handsets.say(row[0], **kind(7, 3, number, piece)) for number, piece in enumerate(pieces, 1)]
        assert await asyncio.gather(*said) == [0, 0, 0]
        await handsets.wait(lambda: handsets.answers(row[0]))
        (words,) = handsets.answers(row[0])
        assert "11.00" in words


@pytest.mark.parametrize("kind", KINDS)
async def test_parts_that_come_by_two_binds_of_one_message_centre_are_joined(tmp_path, kind):
    (row,) = subscribers(1)
    async with Handsets() as handsets, SmsGateway(tmp_path, handsets.port, handsets.port) as desk:
        await handsets.bound(2, 2)
        await asyncio.to_thread(desk.enrol, [row])
        for number, piece in enumerate((b"GIVE WATER", b"AID ", b"5"), 1):
            assert await handsets.says(row[0], by=number % 2, **kind(7, 3, number, piece)) == 0
        await handsets.wait(lambda: handsets.answers(row[0]))
        (words,) = handsets.answers(row[0])
        assert f"{POUND_SIGN}5.00" in words


async def test_a_stop_in_the_only_part_that_came_is_heard_when_the_rest_is_waited_for_no_longer(tmp_path):
    (row,) = subscribers(1)
    async with Handsets() as handsets, SmsGateway(tmp_path, handsets.port) as desk:
        await handsets.bound(1)
        await asyncio.to_thread(desk.enrol, [row])
        assert await handsets.says(row[0], **by_8_bits(7, 2, 1, b"STOP texting me, I do not")) == 0
        assert not handsets.answers(row[0])
        with closing(sqlite3.connect(desk.folder / "var" / "tpo.db")) as store, store:
            store.execute("UPDATE segments SET created_at = 1")
        await handsets.wait(lambda: handsets.answers(row[0]))
        (words,) = handsets.answers(row[0])
        assert "no more texts" in words
