"""Texts through the daemon, with smpp34's server (Rust) as the message centre."""

import asyncio

import pytest
import smpp34
from support.patience import until
from support.smpp34_smsc import by_text, by_tlv, desk_at_smpp34
from support.sms_gateway import CODE, text

ASKER = ("447700900001", "234150000000001", "8944100000000000001", "payg-gb", "wwf", "10.00")
OTHER = ("447700900002", "234150000000002", "8944100000000000002", "payg-gb", "wwf", "10.00")
ESC = 0x1B


async def test_a_thousand_texts_are_submitted_and_delivered(tmp_path):
    async with desk_at_smpp34(tmp_path) as (desk, smsc):
        ids = await desk.send(*(text(f"number {n}", to=f"4477009{n:05d}") for n in range(1000)))
        rows = await desk.all_become("delivered", 1000)
        assert sorted(row["id"] for row in rows) == sorted(ids)
        assert sorted(event.short_message.decode() for event in smsc.submits) == sorted(
            f"number {n}" for n in range(1000)
        )
        shown = await desk.run("sms", "show", ids[0])
        assert [part["state"] for part in shown["parts"]] == ["delivered"]
        await until(lambda: len(smsc.acknowledged) >= 1000)
        assert smsc.acknowledged == [0] * 1000


@pytest.mark.parametrize(
    ("option", "form"),
    [
        ("auto", lambda n: (f"{n + 0xABC0:x}", str(n + 0xABC0))),
        ("decimal", lambda n: (f"{n + 0xABC0:x}", f"{n + 0xABC0:010d}")),
        ("hex", lambda n: (str(n + 4000), f"{n + 4000:08X}")),
        ("string", lambda n: (f"Node-{n:06d}", f"Node-{n:06d}")),
    ],
)
async def test_receipts_find_their_texts_by_text_and_by_tlv_whatever_the_base_of_the_id(tmp_path, option, form):
    async with desk_at_smpp34(tmp_path, message_id=option) as (desk, smsc):
        smsc.form = form
        for smsc.receipts in (by_text, by_tlv):
            await desk.send(*(text(f"number {n}", to=f"4477009{n:05d}") for n in range(20)))
            rows = await desk.all_become("delivered", 20)
            assert {row["error"] for row in rows} == {None}


async def test_long_texts_arrive_in_parts_that_join_without_a_cut_character(tmp_path):
    words = {"a" * 152 + "€" + "b" * 100: 2, "é" + "ж" * 65 + "😀" + "ж" * 60: 2, "€" * 200: 3, "😀" * 70: 3}
    async with desk_at_smpp34(tmp_path) as (desk, smsc):
        for said, parts in words.items():
            smsc.submits.clear()
            (text_id,) = await desk.send(text(said))
            shown = await desk.becomes(text_id, "delivered")
            assert [part["state"] for part in shown["parts"]] == ["delivered"] * parts
            assert {event.esm_class for event in smsc.submits} == {0x40}
            assert join(smsc.submits) == said


def join(parts):
    """What a handset makes of parts with a user data header of 6 octets; each one is read by itself."""
    assert len({part.short_message[3] for part in parts}) == 1
    parts = sorted(parts, key=lambda part: part.short_message[5])
    assert [tuple(part.short_message[i] for i in (0, 1, 2, 4, 5)) for part in parts] == [
        (5, 0, 3, len(parts), number) for number in range(1, len(parts) + 1)
    ]
    bodies = [part.short_message[6:] for part in parts]
    if parts[0].data_coding == 8:
        return "".join(body.decode("utf-16-be") for body in bodies)
    assert parts[0].data_coding == 0
    assert all(body[-1] != ESC for body in bodies)
    return "".join(body.replace(b"\x1b\x65", "€".encode()).decode() for body in bodies)


async def test_keywords_move_money_once_and_the_ledger_is_right(tmp_path):
    async with desk_at_smpp34(tmp_path) as (desk, smsc):
        await asyncio.to_thread(desk.enrol, [ASKER])
        number = ASKER[0]
        assert (await smsc.say(number, "GIVE WATERAID 5"))[0].startswith("Reply YES to give £5.00 to WaterAid")
        assert (await desk.run("ledger", "check"))["ok"]
        assert "gifts:wateraid" not in await asyncio.to_thread(desk.balances)
        assert (await smsc.say(number, "Yes!"))[0].startswith("Thank you! £5.00 from you goes to WaterAid, all of it")
        assert (await smsc.say(number, "YES"))[0].startswith("There is nothing to confirm")
        assert await smsc.say(number, "BALANCE") == ["Your balance is £5.00."]
        assert (await smsc.say(number, "TENTH"))[0].startswith("So far £0.00 has gone")
        assert "WaterAid" in (await smsc.say(number, "CAUSE WATERAID"))[0]
        assert "WATERAID" in (await smsc.say(number, "CAUSE"))[0]
        assert (await smsc.say("447700909999", "HELP"))[0].startswith("Test operator on 70070")
        assert (await smsc.say("447700909999", "BALANCE"))[0].startswith("This service is for customers")
        assert (await smsc.say(number, "stop."))[0].startswith("Test operator: you will get no more texts from 70070")
        (unwanted,) = await desk.send(text("Buy now", to=number, sender=CODE))
        assert (await desk.becomes(unwanted, "cancelled"))["error"] == "the receiver opted out"
        balances = await asyncio.to_thread(desk.balances)
        assert balances["gifts:wateraid"] == "5.00", balances
        report = await asyncio.to_thread(desk.check)
        assert report["ok"]
        assert set(smsc.acknowledged) == {0}


async def test_parts_of_a_text_in_join_in_any_order_and_two_senders_may_use_one_reference(tmp_path):
    async with desk_at_smpp34(tmp_path) as (desk, smsc):
        await asyncio.to_thread(desk.enrol, [ASKER, OTHER])
        halves = {ASKER[0]: (b"GIVE WATER", b"AID 5"), OTHER[0]: (b"GIVE WWF", b" 3 pounds")}

        def part(sender, number):
            header = bytes([5, 0, 3, 77, 2, number])
            smsc.deliver(sender, CODE, esm_class=0x40, short_message=header + halves[sender][number - 1])

        part(ASKER[0], 2)
        part(OTHER[0], 1)
        await asyncio.sleep(0.2)
        part(OTHER[0], 2)
        part(ASKER[0], 1)
        await until(lambda: len(smsc.submits) >= 2)
        asked = {event.destination_addr: event.short_message.replace(b"\x01", b"GBP") for event in smsc.submits}
        assert asked[ASKER[0]].startswith(b"Reply YES to give GBP5.00 to WaterAid")
        assert asked[OTHER[0]].startswith(b"Reply YES to give GBP3.00 to WWF")
        assert smsc.acknowledged[:4] == [0] * 4
        assert len(await desk.run("sms", "list")) == 2


UUID = "5e9c1f0a-77b2-4c3d-9e8f-%012x"
TEXT = "id:{} sub:001 dlvrd:001 submit date:2611231200 done date:2611231201 stat:{} err:000 text:"


def in_ucs2_by_name(message_id):
    return by_text(message_id) | {"data_coding": 8}


def beside_a_state(state):
    tlv = smpp34.Tlv(smpp34.TLV_MESSAGE_STATE, bytes([state]))
    return lambda message_id: by_text(message_id) | {"tlvs": [tlv]}


def of_an_upstream(message_id):
    tlv = smpp34.Tlv(smpp34.TLV_RECEIPTED_MESSAGE_ID, b"upstream-" + message_id.encode() + b"\0")
    return by_text(message_id) | {"tlvs": [tlv]}


def with_stat(stat):
    return lambda message_id: {"esm_class": 4, "short_message": TEXT.format(message_id, stat).encode()}


async def test_receipts_are_read_as_message_centres_write_them(tmp_path):
    stats = '{handed: enroute, "2": delivered, GONE: undeliverable}'
    async with desk_at_smpp34(tmp_path, receipt_states=stats) as (desk, smsc):
        delivered = [in_ucs2_by_name, of_an_upstream, with_stat("2"), *map(beside_a_state, (0, 6, 7))]
        failed = [with_stat(stat) for stat in ("UNDELIVERED", "NACK", "ERROR", "BLACKLST", "5", "gone")]
        for smsc.receipts in delivered:
            await desk.becomes((await desk.send(text("hello")))[0], "delivered")
        for smsc.receipts in failed:
            await desk.becomes((await desk.send(text("hello")))[0], "failed")
        smsc.form, smsc.receipts = (lambda n: (UUID % n, (UUID % n).upper())), by_text
        await desk.becomes((await desk.send(text("hello")))[0], "delivered")
        smsc.receipts = with_stat("HANDED")
        (on_its_way,) = await desk.send(text("hello"))
        await until(lambda: len(smsc.acknowledged) == len(delivered) + len(failed) + 2)
        assert (await desk.show(on_its_way))["state"] == "submitted"
        assert (await desk.run("link", "show", "smsc-1"))["unmatched_receipts"] == []


async def test_receipts_that_settle_nothing_are_counted_logged_and_shown_with_the_link(tmp_path):
    async with desk_at_smpp34(tmp_path) as (desk, smsc):
        smsc.deliver("447700900299", CODE, **by_text("nobody's"))
        smsc.deliver("447700900299", CODE, esm_class=4, short_message=b"\x00\xff garbage 447700900299")
        smsc.deliver("447700900299", CODE, **with_stat("WHATEVER")("7"))
        await until(lambda: len(smsc.acknowledged) == 3)
        smsc.receipts = with_stat("")
        (text_id,) = await desk.send(text("hello", to="447700900299"))
        await until(lambda: len(smsc.acknowledged) == 4)
        assert smsc.acknowledged == [0] * 4
        assert (await desk.show(text_id))["state"] == "submitted"
        shown = (await desk.run("link", "show", "smsc-1"))["unmatched_receipts"]
        told = {"unknown_id": "nobody's", "no_id": "", "unknown_state": "7", "no_state": "1"}
        assert {row["reason"]: row["message_id"] for row in shown} == told
        assert [row["stat"] for row in shown if row["reason"] == "unknown_state"] == ["WHATEVER"]
        _, written = desk.get("/metrics")
        for reason in told:
            assert f'tpo_sms_receipts_unmatched_total{{link="smsc-1",reason="{reason}"}} 1.0' in written
        log = desk.log.read_text()
        assert log.count("sms.receipt.unmatched") == 4
        assert "447700900299" not in log + str(shown)


async def test_an_smsc_that_gives_every_text_one_id_has_each_settled_by_its_own_receipt(tmp_path):
    async with desk_at_smpp34(tmp_path) as (desk, smsc):

        def by_number(message_id):
            even = int(smsc.submits[-1].destination_addr) % 2 == 0
            return with_stat("DELIVRD" if even else "UNDELIV")(message_id)

        smsc.form, smsc.receipts = (lambda _: ("0", "0")), by_number
        ids = await desk.send(*(text(f"number {n}", to=f"4477009{n:05d}") for n in range(100)))
        for n, text_id in enumerate(ids):
            await desk.becomes(text_id, "delivered" if n % 2 == 0 else "failed")
