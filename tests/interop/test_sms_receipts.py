"""Delivery receipts as message centres send them, through the daemon: early, doubled, unknown, forged, of a failure."""

import asyncio

import pytest
from support.sms_gateway import CODE, Centre, SmsGateway, desk_and_centre, text

from protocols.smpp.messages import DeliverSm, SubmitSmResp
from protocols.smpp.receipts import MessageState
from protocols.smpp.transitions import SessionState


async def test_a_receipt_before_the_response_is_held_until_the_response_comes(tmp_path):
    async with desk_and_centre(tmp_path) as (desk, smsc):
        unanswered = []

        def receipt_first(request, message_id):
            smsc.deliver(smsc.receipt(request.message, message_id))
            unanswered.append((request, message_id))

        smsc.on_submit = receipt_first
        ids = await desk.send(*(text(f"number {n}") for n in range(5)))
        await smsc.wait(lambda: len(smsc.results) == 5)
        assert {(await desk.show(text_id))["state"] for text_id in ids} == {"submitted"}
        for request, message_id in unanswered:
            request.respond(SubmitSmResp(message_id=message_id.rjust(8, "0")))
        for text_id in ids:
            assert (await desk.becomes(text_id, "delivered"))["maybe_double"] is False
        assert len(smsc.submits) == 5
        assert {result.command_status for result in smsc.results} == {0}


@pytest.mark.parametrize("early", [True, False])
async def test_a_text_that_was_given_no_message_id_is_settled_by_our_reference(tmp_path, early):
    async with desk_and_centre(tmp_path) as (desk, smsc):

        def nameless(request, message_id):
            reference = request.message.user_message_reference
            receipt = smsc.receipt(request.message, message_id, user_message_reference=reference)
            if early:
                smsc.deliver(receipt)
                asyncio.get_running_loop().call_later(0.2, request.respond, SubmitSmResp(message_id=""))
            else:
                request.respond(SubmitSmResp(message_id=""))
                smsc.deliver(receipt)

        smsc.on_submit = nameless
        (text_id,) = await desk.send(text("long " * 60))
        assert (await desk.becomes(text_id, "delivered"))["maybe_double"] is False
        assert len(smsc.submits) == 2


async def test_doubled_and_unknown_receipts_are_acknowledged_and_change_nothing(tmp_path):
    async with desk_and_centre(tmp_path) as (desk, smsc):

        def chatty(request, message_id):
            smsc.accept(request, message_id)
            undelivered = smsc.receipt(request.message, message_id, MessageState.UNDELIVERABLE, "001")
            smsc.deliver(smsc.receipt(request.message, message_id), undelivered)
            smsc.deliver(smsc.receipt(request.message, f"never-{message_id}"))
            smsc.deliver(DeliverSm(source_addr="447700900200", destination_addr="TPO", esm_class=4, short_message=b"?"))

        smsc.on_submit = chatty
        ids = await desk.send(*(text(f"number {n}") for n in range(5)))
        await smsc.wait(lambda: len(smsc.results) == 25)
        assert {result.command_status for result in smsc.results} == {0}
        for text_id in ids:  # the receipt may have been taken before the answer to its text
            assert (await desk.becomes(text_id, "delivered", "failed"))["state"] == "delivered"
            assert (await desk.show(text_id))["error"] is None


@pytest.mark.parametrize(
    ("state", "becomes", "error"),
    [
        (MessageState.UNDELIVERABLE, "failed", "0A1"),
        (MessageState.REJECTED, "failed", "0A1"),
        (MessageState.EXPIRED, "expired", "0A1"),
    ],
)
async def test_a_text_that_never_arrived_ends_with_the_error_of_its_receipt(tmp_path, state, becomes, error):
    async with desk_and_centre(tmp_path) as (desk, smsc):

        def in_vain(request, message_id):
            request.respond(SubmitSmResp(message_id=message_id))
            smsc.deliver(smsc.receipt(request.message, message_id, MessageState.ENROUTE))
            smsc.deliver(smsc.receipt(request.message, message_id, state, "0A1"))

        smsc.on_submit = in_vain
        (text_id,) = await desk.send(text("hello"))
        shown = await desk.becomes(text_id, "delivered", "failed", "expired")
        assert (shown["state"], shown["error"]) == (becomes, error)


async def test_each_part_of_a_long_text_has_its_own_receipt_and_the_worst_is_the_whole(tmp_path):
    async with desk_and_centre(tmp_path) as (desk, smsc):

        def second_fails(request, message_id):
            request.respond(SubmitSmResp(message_id=message_id))
            state = MessageState.UNDELIVERABLE if request.message.short_message[5] == 2 else MessageState.DELIVERED
            smsc.deliver(smsc.receipt(request.message, message_id, state, "001"))

        smsc.on_submit = second_fails
        (text_id,) = await desk.send(text("a" * 400))
        shown = await desk.becomes(text_id, "failed")
        assert [part["state"] for part in shown["parts"]] == ["delivered", "failed", "delivered"]


async def test_a_receipt_that_a_handset_forges_settles_nothing_and_is_not_answered(tmp_path):
    async with desk_and_centre(tmp_path) as (desk, smsc):

        def silent(request, message_id):
            request.respond(SubmitSmResp(message_id=message_id))

        smsc.on_submit = silent
        (text_id,) = await desk.send(text("hello"))
        await smsc.has(1)
        forged = smsc.receipt(smsc.submits[0], "1", esm_class=0)
        smsc.deliver(forged)
        smsc.deliver(DeliverSm(source_addr="447700900200", destination_addr=CODE, short_message=forged.short_message))
        smsc.deliver(DeliverSm(source_addr="447700900200", destination_addr=CODE, short_message=b"HELP"))
        await smsc.has(2)
        await smsc.wait(lambda: len(smsc.results) == 3)
        assert [message.source_addr for message in smsc.submits[1:]] == [CODE]  # HELP was, it came last
        assert {result.command_status for result in smsc.results} == {0}
        assert (await desk.show(text_id))["state"] == "submitted"


async def test_a_receipt_by_the_receiver_bind_finds_the_text_that_went_out_by_the_transmitter_bind(tmp_path):
    async with Centre() as smsc:
        desk = SmsGateway(tmp_path, smsc.port, smsc.port)
        written = desk.config.read_text()
        for name, bind in (("smsc-1", "transmitter"), ("smsc-2", "receiver")):
            written = written.replace(f"{{name: {name},", f"{{name: {name}, bind: {bind},")
        desk.config.write_text(written)

        def tell_by_the_receiver(request, message_id):
            request.respond(SubmitSmResp(message_id=message_id))
            receiver = next(client for client in smsc.server.clients if client.state is SessionState.BOUND_RX)
            assert receiver is not request.connection
            assert receiver.send(smsc.receipt(request.message, message_id))

        smsc.on_submit = tell_by_the_receiver
        async with desk:
            await smsc.wait(lambda: len(smsc.server.clients) == 2)
            for text_id in await desk.send(*(text(f"number {n}") for n in range(5))):
                assert (await desk.becomes(text_id, "delivered"))["link"] == "smsc-1"
