"""What would answer itself for ever, through the daemon, with smpp34's server (Rust) as the message centre."""

import asyncio
import json

import pytest
from support.patience import until
from support.sms_gateway import CODE, SmsGateway, text
from test_sms_smpp34 import ASKER, by_text, desk_at_smpp34

NUMBER = ASKER[0]


def as_plain_text(message_id):
    """A receipt in the form of appendix B whose esm_class says nothing: a plain deliver_sm."""
    return by_text(message_id) | {"esm_class": 0}


def counted(desk, name):
    """The value of one metric of the running gateway."""
    status, written = desk.get("/metrics")
    assert status == 200
    return next(float(line.rpartition(" ")[2]) for line in written.splitlines() if line.startswith(name + " "))


def logged(desk, event):
    lines = (json.loads(line) for line in desk.log.read_text().splitlines() if line.startswith("{"))
    return [line for line in lines if line["event"] == event]


async def quiet(smsc, seconds=1.5):
    """Wait; gives how many texts went out meanwhile."""
    before = len(smsc.submits)
    await asyncio.sleep(seconds)
    return len(smsc.submits) - before


@pytest.mark.parametrize("receipts", ["by_class", "by_text"])
async def test_receipts_that_come_as_plain_texts_are_never_answered(tmp_path, receipts):
    async with desk_at_smpp34(tmp_path, receipts=receipts) as (desk, smsc):
        await asyncio.to_thread(desk.enrol, [ASKER])
        smsc.receipts = as_plain_text
        assert await smsc.say(NUMBER, "BALANCE") == ["Your balance is £10.00."]
        assert await quiet(smsc) == 0
        (shown,) = await desk.run("sms", "list")
        if receipts == "by_text":
            await desk.becomes(shown["id"], "delivered")
            assert counted(desk, 'tpo_sms_unanswered_total{reason="receipt"}') == 0
        else:
            assert shown["state"] == "submitted"
            await until(lambda: counted(desk, 'tpo_sms_unanswered_total{reason="receipt"}') == 1)
        assert set(smsc.acknowledged) == {0}


async def test_plain_receipts_count_by_text_alone_of_an_awaited_id_and_from_its_receiver(tmp_path):
    async with desk_at_smpp34(tmp_path, receipts="by_text") as (desk, smsc):
        named = []

        def unsaid(message_id):
            named.append(message_id)
            return as_plain_text("no such id")

        smsc.receipts = unsaid
        (text_id,) = await desk.send(text("hello", to=NUMBER))
        await until(lambda: named)
        while not (await desk.show(text_id))["parts"][0]["message_id"]:  # noqa: ASYNC110  (another process)
            await asyncio.sleep(0.02)
        smsc.deliver("447700900299", CODE, **as_plain_text(named[0]))  # somebody else's handset writes it
        await until(lambda: len(smsc.acknowledged) == 2)
        assert (await desk.show(text_id))["state"] == "submitted"
        smsc.deliver("0" + NUMBER[2:], CODE, **as_plain_text(named[0]))  # in national form
        assert (await desk.becomes(text_id, "delivered"))["error"] is None
        assert await quiet(smsc) == 0
        assert set(smsc.acknowledged) == {0}


async def test_plain_receipts_that_come_before_the_response_settle_their_texts(tmp_path):
    async with desk_at_smpp34(tmp_path, receipts="by_text") as (desk, smsc):
        smsc.receipts = as_plain_text
        await desk.send(*(text(f"number {n}", to=f"4477009{n:05d}", sender=CODE) for n in range(200)))
        await desk.all_become("delivered", 200)
        assert len(smsc.submits) == 200


async def test_a_handset_that_answers_each_text_gets_its_answers_of_an_hour_and_no_more_after_a_restart_too(tmp_path):
    async with desk_at_smpp34(tmp_path, answers_per_hour=5) as (desk, smsc):
        numbers = iter(range(1000))

        def driving(message_id):
            event = smsc.submits[-1]
            smsc.deliver(event.destination_addr, CODE, short_message=b"I am driving, %d" % next(numbers))
            return by_text(message_id)

        smsc.receipts = driving
        smsc.deliver(NUMBER, CODE, short_message=b"hello")
        await until(lambda: len(smsc.submits) == 5)
        assert await quiet(smsc) == 0
        assert [line["short_code"] for line in logged(desk, "sms.answers.limited")] == [CODE]
        assert NUMBER not in desk.log.read_text()
        assert counted(desk, 'tpo_sms_unanswered_total{reason="limit"}') == 1
        smsc.bound.clear()
        await asyncio.to_thread(desk.kill)
        await asyncio.to_thread(desk.start)
        await smsc.bound.wait()
        smsc.deliver(NUMBER, CODE, short_message=b"BALANCE")
        assert await quiet(smsc) == 0
        assert len(logged(desk, "sms.answers.limited")) == 1
        events = await desk.run("events", "--limit", "50")
        assert [event["topic"] for event in events].count("sms/answers_limited") == 1


@pytest.mark.parametrize(
    ("source", "ton", "reason"),
    [(CODE, 3, "short_code"), ("60606", 0, "short_code"), ("447700900777", 1, "own_number"), ("TPO", 5, "name")],
)
async def test_two_services_do_not_talk_with_each_other(tmp_path, source, ton, reason):
    messaging = ', numbers: ["447700900777"]'
    async with desk_at_smpp34(tmp_path, messaging=messaging) as (desk, smsc):
        for words in (b"hello", b"HELP", b"STOP", b"BALANCE"):
            smsc.deliver(source, CODE, source_addr_ton=ton, short_message=words)
        await until(lambda: len(smsc.acknowledged) == 4)
        assert await quiet(smsc, 0.5) == 0
        assert counted(desk, f'tpo_sms_unanswered_total{{reason="{reason}"}}') == 4


async def test_two_gateways_whose_short_codes_write_to_each_other_fall_silent_at_once(tmp_path):
    async with desk_at_smpp34(tmp_path / "a") as (desk, smsc):
        await desk.send(text("hello", to=CODE, sender=CODE))
        await until(lambda: len(smsc.submits) == 1)
        event = smsc.submits[0]
        smsc.deliver(event.source_addr, event.destination_addr, short_message=event.short_message)
        assert await quiet(smsc, 0.5) == 0
        assert isinstance(desk, SmsGateway)


async def test_numbers_in_any_form_are_one_customer_at_every_door(tmp_path):
    async with desk_at_smpp34(tmp_path, messaging=', numbers: ["447700900777"]') as (desk, smsc):
        await asyncio.to_thread(desk.enrol, [(f"0{NUMBER[2:]}", *ASKER[1:])])
        balance = ["Your balance is £10.00."]
        assert await smsc.say(f"0{NUMBER[2:]}", "BALANCE", source_addr_ton=2) == balance
        assert await smsc.say(NUMBER[2:], "my balance", source_addr_ton=2) == balance
        assert await smsc.say(f"00{NUMBER}", "balance please") == balance
        before = len(smsc.submits)
        for number, to in ((NUMBER, "447700900777"), (NUMBER, f"{CODE} ")):
            smsc.deliver(number, to, short_message=b"BALANCE to " + to.encode())
        await until(lambda: len(smsc.submits) == before + 2)
        await smsc.say(f"0{NUMBER[2:]}", "70070 STOP", source_addr_ton=2)
        forms = [NUMBER, f"+{NUMBER}", f"00{NUMBER}", f"0{NUMBER[2:]}"]
        news = await desk.send(*(text("news", to=to, sender=CODE) for to in forms))
        for text_id in news:
            await desk.becomes(text_id, "cancelled")
        assert await quiet(smsc, 0.3) == 0


async def test_who_asks_for_a_pac_is_not_answered_but_told_of_and_wakes_somebody(tmp_path):
    async with desk_at_smpp34(tmp_path) as (desk, smsc):
        await asyncio.to_thread(desk.enrol, [ASKER])
        for to, words in (("65075", b"PAC"), ("75075", b"stac"), ("85075", b"INFO"), (CODE, b"PAC please")):
            smsc.deliver(NUMBER, to, short_message=words)
        await until(lambda: len(smsc.acknowledged) == 4)
        assert await quiet(smsc, 0.5) == 0
        lines = logged(desk, "sms.switching.requested")
        assert sorted((line["request"], line["to"]) for line in lines) == [
            ("INFO", "85075"),
            ("PAC", "65075"),
            ("PAC", CODE),
            ("STAC", "75075"),
        ]
        assert NUMBER not in desk.log.read_text()
        assert counted(desk, 'tpo_alarms_total{event="sms.switching.requested"}') == 4
        topics = [event["topic"] for event in await desk.run("events", "--limit", "50")]
        assert topics.count("sms/switching_requested") == 4
