"""What message centres do to a link, through the daemon: nothing is lost, and what may be double says so."""

import asyncio
import time

import pytest
from support.sms_gateway import CODE, desk_and_centre, text

from protocols.smpp.errors import CommandStatus
from protocols.smpp.generated import encode
from protocols.smpp.messages import DeliverSm, GenericNack, SubmitSmResp
from protocols.smpp.node_events import ClientDown, ClientUp

GIVER = ("447700900001", "234150000000001", "8944100000000000001", "payg-gb", "wwf", "10.00")
LOST = "no answer of the SMSC"


def nothing(*_):
    """An answer that is lost."""


def first_then(first, then, count=1):
    """Treat the first requests in one way, those after them in another."""
    seen = []

    def serve(request, message_id):
        seen.append(message_id)
        (first if len(seen) <= count else then)(request, message_id)

    return serve


async def test_texts_above_the_rate_of_the_smsc_wait_and_none_goes_twice(tmp_path):
    async with desk_and_centre(tmp_path) as (desk, smsc):
        taken = []

        def twenty_a_second(request, message_id):
            now = time.monotonic()
            if sum(at > now - 1 for at, _ in taken) >= 20:
                request.respond(SubmitSmResp(), CommandStatus.ESME_RTHROTTLED)
                return
            taken.append((now, request.message.short_message))
            smsc.accept(request, message_id)

        smsc.on_submit = twenty_a_second
        await desk.send(*(text(f"number {n}") for n in range(40)))
        await desk.all_become("delivered", 40)
        assert sorted(words for _, words in taken) == sorted(f"number {n}".encode() for n in range(40))
        assert len(smsc.submits) > 40


async def test_a_full_queue_of_the_smsc_is_met_with_a_pause_and_the_same_text(tmp_path):
    async with desk_and_centre(tmp_path) as (desk, smsc):
        smsc.on_submit = first_then(smsc.refuse(CommandStatus.ESME_RMSGQFUL), smsc.accept)
        began = time.monotonic()
        (text_id,) = await desk.send(text("hello"))
        shown = await desk.becomes(text_id, "delivered")
        assert smsc.words() == ["hello"] * 2
        assert shown["maybe_double"] is False
        assert time.monotonic() - began > 0.5


async def test_a_generic_nack_and_an_unknown_status_fail_their_texts_and_free_their_slots(tmp_path):
    async with desk_and_centre(tmp_path, window=1) as (desk, smsc):

        def serve(request, message_id):
            match request.message.short_message:
                case b"nack":
                    nack = encode(GenericNack(), request.sequence_number, CommandStatus.ESME_RINVCMDID)
                    request.connection._transport.write(nack)
                case b"vendor":
                    request.respond(SubmitSmResp(), 0x4FF)
                case b"no such number":
                    request.respond(SubmitSmResp(), CommandStatus.ESME_RINVDSTADR)
                case _:
                    smsc.accept(request, message_id)

        smsc.on_submit = serve
        ids = await desk.send(*(text(words) for words in ("nack", "vendor", "no such number", "fine")))
        found = [await desk.becomes(text_id, "failed", "delivered") for text_id in ids]
        assert [(told["state"], told["error"]) for told in found] == [
            ("failed", "ESME_RINVCMDID"),
            ("failed", "0x000004FF"),
            ("failed", "ESME_RINVDSTADR"),
            ("delivered", None),
        ]
        assert len(smsc.submits) == 4


async def test_a_lost_response_where_the_policy_is_resend(tmp_path):
    async with desk_and_centre(tmp_path, response_timeout=1, doubtful="resend") as (desk, smsc):
        smsc.on_submit = first_then(nothing, smsc.accept)
        (text_id,) = await desk.send(text("hello"))
        shown = await desk.becomes(text_id, "delivered")
        assert shown["maybe_double"] is True
        assert smsc.words() == ["hello"] * 2


async def test_a_lost_response_where_the_policy_is_fail(tmp_path):
    async with desk_and_centre(tmp_path, response_timeout=1, doubtful="fail") as (desk, smsc):
        smsc.on_submit = first_then(nothing, smsc.accept)
        lost, fine = await desk.send(text("lost"), text("fine"))
        shown = await desk.becomes(lost, "failed")
        assert (shown["error"], shown["maybe_double"]) == (LOST, True)
        await desk.becomes(fine, "delivered")
        assert smsc.words() == ["lost", "fine"]


async def test_a_lost_response_where_the_policy_is_wait_is_settled_by_a_receipt_or_sent_again(tmp_path):
    async with desk_and_centre(tmp_path, response_timeout=1, doubtful="wait", doubtful_wait=2) as (desk, smsc):
        smsc.on_submit = first_then(nothing, smsc.accept, count=2)
        settled, unsettled = await desk.send(text("settled"), text("unsettled", to="447700900201"))
        await desk.becomes(settled, "doubtful")
        await desk.becomes(unsettled, "doubtful")
        first = smsc.submits[0]
        smsc.deliver(smsc.receipt(first, "77", user_message_reference=first.user_message_reference))
        shown = await desk.becomes(settled, "delivered")
        assert shown["maybe_double"] is True
        await desk.becomes(unsettled, "delivered")
        assert smsc.words() == ["settled", "unsettled", "unsettled"]


async def test_a_response_that_comes_late_settles_a_doubtful_text(tmp_path):
    async with desk_and_centre(tmp_path, response_timeout=1, doubtful="wait") as (desk, smsc):
        kept = []
        smsc.on_submit = lambda request, message_id: kept.append((request, message_id))
        (text_id,) = await desk.send(text("hello"))
        await desk.becomes(text_id, "doubtful")
        smsc.accept(*kept[0])
        await desk.becomes(text_id, "delivered")
        assert len(smsc.submits) == 1


async def test_a_link_that_drops_in_mid_window_loses_nothing(tmp_path):
    async with desk_and_centre(tmp_path, window=20) as (desk, smsc):
        smsc.on_submit = first_then(nothing, smsc.accept, count=20)
        ids = await desk.send(*(text(f"number {n}") for n in range(40)))
        await smsc.has(20)
        smsc.server.clients[0]._transport.abort()
        rows = {row["id"]: row for row in await desk.all_become("delivered", 40)}
        assert [rows[text_id]["maybe_double"] for text_id in ids] == [True] * 20 + [False] * 20
        assert len(smsc.submits) == 60
        assert set(smsc.words()) == {f"number {n}" for n in range(40)}


async def test_an_unbind_in_mid_window_ends_in_order_and_nothing_goes_twice(tmp_path):
    async with desk_and_centre(tmp_path, window=20) as (desk, smsc):
        kept = []
        smsc.on_submit = first_then(lambda *request: kept.append(request), smsc.accept, count=20)
        await desk.send(*(text(f"number {n}") for n in range(40)))
        await smsc.has(20)
        smsc.server.clients[0].unbind(5)
        await asyncio.sleep(0.1)
        for request, message_id in kept:
            request.respond(SubmitSmResp(message_id=message_id))
            smsc.deliver(smsc.receipt(request.message, message_id))
        rows = await desk.all_become("delivered", 40)
        assert {row["maybe_double"] for row in rows} == {False}
        assert len(smsc.submits) == 40
        (down,) = [event for event in smsc.events if isinstance(event, ClientDown)]
        assert (down.doubtful, down.unanswered) == (0, 0)


async def test_a_slow_smsc_gets_no_more_than_a_window_at_a_time(tmp_path):
    async with desk_and_centre(tmp_path, window=10) as (desk, smsc):
        waiting, most = [], []

        def later(request, message_id):
            def answer():
                waiting.remove(message_id)
                smsc.accept(request, message_id)

            waiting.append(message_id)
            most.append(len(waiting))
            asyncio.get_running_loop().call_later(0.1, answer)

        smsc.on_submit = later
        await desk.send(*(text(f"number {n}") for n in range(50)))
        await desk.all_become("delivered", 50)
        assert max(most) == 10
        assert len(smsc.submits) == 50


async def test_a_link_that_was_refused_binds_after_an_order_of_the_operator(tmp_path):
    verdicts = [CommandStatus.ESME_RINVPASWD, 0]
    centre = {"authenticate": lambda _: verdicts.pop(0)}
    async with desk_and_centre(tmp_path, centre=centre, wait=False) as (desk, smsc):
        await smsc.wait(lambda: len(verdicts) == 1)
        (text_id,) = await desk.send(text("hello"))
        (row,) = await desk.run("link", "list")
        assert (row["state"], row["wanted"]) == ("closed", True)
        assert (await desk.show(text_id))["state"] == "queued"
        await desk.run("link", "up", "smsc-1")
        await desk.becomes(text_id, "delivered")


@pytest.mark.parametrize("answered", [True, False])
async def test_a_text_in_that_comes_again_after_a_dropped_link_is_acted_on_once(tmp_path, answered):
    async with desk_and_centre(tmp_path, enrol=[GIVER]) as (desk, smsc):

        def say(words):
            smsc.deliver(DeliverSm(source_addr=GIVER[0], destination_addr=CODE, short_message=words))

        say(b"GIVE WATERAID 5")
        await smsc.has(1)
        say(b"YES")
        await smsc.has(2) if answered else await asyncio.sleep(0)
        smsc.server.clients[0]._transport.abort()
        await smsc.bound(2)
        say(b"YES")
        await smsc.wait(lambda: sum("Thank you" in words for words in smsc.words()) == 1)
        await asyncio.sleep(0.3)
        assert not [words for words in smsc.words() if "nothing to confirm" in words]
        assert (await asyncio.to_thread(desk.balances))["gifts:wateraid"] == "5.00"
        await asyncio.sleep(10)  # a text that comes again later than this is a person's
        say(b"YES")
        await smsc.wait(lambda: "nothing to confirm" in smsc.words()[-1])
        assert (await asyncio.to_thread(desk.balances))["gifts:wateraid"] == "5.00"
        await asyncio.to_thread(desk.check)


async def test_texts_that_the_smsc_wanted_later_are_in_no_doubt_after_a_kill_and_say_how_often(tmp_path):
    """What was answered is known: only a text that was out without an answer may arrive twice."""
    async with desk_and_centre(tmp_path) as (desk, smsc):
        smsc.on_submit = smsc.refuse(CommandStatus.ESME_RSYSERR)
        ids = await desk.send(*(text(f"number {n}") for n in range(14)))
        await smsc.has(14)
        await desk.run("link", "suspend", "smsc-1")
        for text_id in ids:
            while not (await desk.show(text_id))["refused"]:  # noqa: ASYNC110  (another process counts)
                await asyncio.sleep(0.02)
        await asyncio.to_thread(desk.kill)
        smsc.on_submit = smsc.accept
        bound = sum(isinstance(event, ClientUp) for event in smsc.events)
        told = await asyncio.to_thread(desk.stored_texts)
        assert {(state, error, doubtful) for state, error, doubtful in told} == {("queued", "ESME_RSYSERR", False)}
        await asyncio.to_thread(desk.start)
        await smsc.bound(bound + 1)
        for text_id in ids:
            shown = await desk.becomes(text_id, "delivered")
            assert (shown["maybe_double"], shown["refused"] >= 1) == (False, True)
