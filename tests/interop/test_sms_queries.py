"""Texts whose receipt is missing, asked for through the daemon: of a centre that tells, and of smpp34's, which won't."""

import asyncio
import json

import smpp34
from support.patience import PATIENCE, until
from support.ports import free_port
from support.querying_smsc import QueryingSmsc
from support.sms_gateway import SmsGateway, text

from protocols.smpp.receipts import MessageState

SENDER = ("447700900001", "234150000000001", "8944100000000000001", "payg-gb", "wwf", "10.00")


def metric(desk, result):
    """How many questions came to this, as /metrics tells."""
    name = f'tpo_sms_queries_total{{link="smsc-1",result="{result}"}} '
    found = [line for line in desk.get("/metrics")[1].splitlines() if line.startswith(name)]
    return float(found[0].removeprefix(name)) if found else 0.0


async def test_a_text_without_a_receipt_is_asked_for_again_after_a_kill_and_paid_once(tmp_path):
    async with QueryingSmsc() as smsc, SmsGateway(tmp_path, smsc.port, query_after=1) as desk:
        await smsc.bound()
        await asyncio.to_thread(desk.enrol, [SENDER])
        smsc.on_query = lambda _: None
        (text_id,) = await desk.send(text("hello", sender=SENDER[0]))
        await smsc.wait(lambda: smsc.queries)
        assert (await desk.show(text_id))["state"] == "submitted"
        await asyncio.to_thread(desk.kill)
        smsc.on_query = smsc.tells(MessageState.DELIVERED)
        await asyncio.to_thread(desk.start)
        await desk.becomes(text_id, "delivered")
        assert {(query.message_id, query.source_addr) for query in smsc.queries} == {("00000001", SENDER[0])}
        assert len(smsc.submits) == 1
        smsc.deliver(smsc.receipt(smsc.submits[0], "1", MessageState.UNDELIVERABLE))
        await smsc.wait(lambda: smsc.results)
        assert (await desk.show(text_id))["state"] == "delivered"
        (usage,) = await asyncio.to_thread(desk.usage)
        assert (usage["service"], usage["units"]) == ("sms", "1")
        assert await asyncio.to_thread(metric, desk, "delivered") == 1
        await asyncio.to_thread(desk.check)


async def test_smpp34_refuses_query_sm_and_its_receipt_still_settles_the_text(tmp_path):
    port, submits = free_port(), []
    server = smpp34.Server("127.0.0.1", port, system_id="smpp34")
    await server.start()
    esmes = []

    async def serve():
        while True:
            match await server.next():
                case smpp34.Esme() as esme:
                    esmes.append(esme)
                case smpp34.SubmitSmEvent() as event:
                    submits.append(event)
                    event.accept("00A1")

    serving = asyncio.create_task(serve())
    try:
        async with SmsGateway(tmp_path, port, query_after=1) as desk:
            await until(lambda: esmes)
            (text_id,) = await desk.send(text("hello"))
            async with asyncio.timeout(PATIENCE):
                while await asyncio.to_thread(metric, desk, "refused") < 1:  # noqa: ASYNC110  (a figure of another process)
                    await asyncio.sleep(0.1)
            assert (await desk.show(text_id))["state"] == "submitted"
            logged = [json.loads(line) for line in desk.log.read_text().splitlines() if "smpp.query.refused" in line]
            assert [(line["name"], line["text_id"], line["command_status"]) for line in logged] == [
                ("smsc-1", int(text_id), 0x67)
            ]
            receipt = (
                b"id:00A1 sub:001 dlvrd:001 submit date:2611231200 done date:2611231201 stat:DELIVRD err:000 text:"
            )
            await esmes[0].deliver_sm("TPO", source_addr="447700900200", esm_class=4, short_message=receipt)
            await desk.becomes(text_id, "delivered")
    finally:
        serving.cancel()
        await asyncio.gather(serving, return_exceptions=True)
        await server.stop()
