"""A message centre that falls silent or stops to read, through the daemon: the link notices, and nothing is lost."""

import asyncio
import time
from collections import Counter

import pytest
from support.lateness import Lateness
from support.sms_gateway import SmsGateway, text
from support.unruly_smsc import UnrulySmsc, Watch, pdu

from protocols.smpp.codec import CommandId

LOST = "no answer of the SMSC"
SILENT = "enquire_link was not answered"
QUESTIONS, FLOODS = 500, 2000
FLOOD = pdu(CommandId.ENQUIRE_LINK, 7) * QUESTIONS
MEGABYTE = 1_000_000


@pytest.mark.parametrize("policy", ["resend", "wait", "fail"])
async def test_a_connection_that_is_dead_at_the_other_end_is_noticed_and_made_anew(tmp_path, policy):
    options = {"response_timeout": 1, "enquire_link": 1, "window": 8, "doubtful": policy, "doubtful_wait": 600}
    async with UnrulySmsc() as smsc, SmsGateway(tmp_path, smsc.port, **options) as desk:
        await smsc.wait(lambda: smsc.lines and Watch(desk).up())
        (before,) = await desk.send(text("before"))
        await desk.becomes(before, "delivered")
        watch, dead = Watch(desk), smsc.line
        with Lateness() as late:
            began = time.monotonic()
            dead.reading.clear()
            ids = await desk.send(*(text(str(n)) for n in range(8)))
            await smsc.wait(lambda: len(smsc.lines) == 2)
            assert time.monotonic() - began < 5.0 + 10 * late.most
        await smsc.wait(watch.up)
        (after,) = await desk.send(text("after"))
        await desk.becomes(after, "delivered")
        (down,) = watch.told("smpp.link.down")
        assert down["reason"] == SILENT
        assert watch.alarms() == {"smpp.link.down": 1}

        if policy == "wait":  # it had taken them all the same, and says so by the new connection
            assert {(await desk.show(text_id))["state"] for text_id in ids} == {"doubtful"}
            taken, smsc.on_submit = [], lambda _line, _header, message, _id: taken.append(message)
            dead.reading.set()
            await smsc.wait(lambda: len(taken) == 8)
            for number, message in enumerate(taken):
                told = {"user_message_reference": message.user_message_reference}
                smsc.line.ask(smsc.receipt(message, f"{number}", **told))
        final = "failed" if policy == "fail" else "delivered"
        shown = [await desk.becomes(text_id, final) for text_id in ids]
        assert {told["maybe_double"] for told in shown} == {True}
        assert {told["error"] for told in shown} == {LOST if policy == "fail" else None}
        arrived = Counter(smsc.words())
        copies = {"resend": 1, "wait": 1, "fail": 0}[policy]
        assert arrived == Counter({"before": 1, "after": 1} | {str(n): copies for n in range(8) if copies})


async def test_a_message_centre_that_stops_reading_is_waited_for_in_bounded_memory(tmp_path):
    options = {"window": 20, "response_timeout": 120, "enquire_link": 240}
    async with UnrulySmsc(buffer=4096) as smsc, SmsGateway(tmp_path, smsc.port, **options) as desk:
        await smsc.wait(lambda: smsc.lines and Watch(desk).up())
        watch, line = Watch(desk), smsc.line
        first = await desk.send(*(text(f"first {n}") for n in range(200)))
        for text_id in first:
            await desk.becomes(text_id, "delivered")
        line.say(*[FLOOD] * 20)
        await smsc.wait(lambda: line.lives == 20 * QUESTIONS)  # what it takes to answer many it has by now
        smsc.submits.clear()
        line.reading.clear()
        ids = await desk.send(*(text(str(n)) for n in range(200)))
        await smsc.wait(lambda: watch.order()["waiting"] == 20)
        await asyncio.gather(*map(desk.show, ids))  # each reading thread has its first memory by now
        before = watch.resident()
        left = await flooded(line)
        assert left > 0, "the gateway reads on and on"
        assert watch.resident() - before < 8 * MEGABYTE
        assert watch.figures()["tpo_sms_queue_depth"] == 180
        assert desk.get("/livez")[0] == 200
        (late,) = await desk.send(text("late"))

        line.reading.set()
        for text_id in (*ids, late):
            assert (await desk.becomes(text_id, "delivered"))["maybe_double"] is False
        await smsc.wait(lambda: line.lives == (20 + FLOODS - left) * QUESTIONS)
        assert Counter(smsc.words()) == Counter({str(n): 1 for n in range(200)} | {"late": 1})
        assert line.ended is False
        assert watch.alarms().keys() <= {
            "smpp.message.rejected"
        }  # what waited too long behind the flood, for now (041)
        assert watch.resident() - before < 8 * MEGABYTE


async def flooded(line):
    """Ask again and again whether the gateway lives until it takes no more; gives how many of the floods it was spared."""
    line.say(*[FLOOD] * FLOODS)
    progress = -1
    while progress != line.sent:
        progress = line.sent
        await asyncio.sleep(0.4)
    return line.withdraw()
