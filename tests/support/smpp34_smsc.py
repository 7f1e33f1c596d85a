"""smpp34's server (Rust) as the message centre of a gateway."""

import asyncio
import itertools
from contextlib import asynccontextmanager, suppress

import smpp34

from support.patience import PATIENCE, until
from support.ports import free_port
from support.sms_gateway import CODE, SmsGateway


class Smsc:
    """smpp34's server: every text is accepted under an id and a receipt follows, as `receipt` makes it."""

    def __init__(self, port):
        self.server = smpp34.Server("127.0.0.1", port, system_id="smpp34", inbound_capacity=4096)
        self.submits, self.acknowledged = [], []
        self.bound = asyncio.Event()
        self._ids = itertools.count(1)
        self._tasks = set()
        self.form, self.receipts = (lambda number: (f"{number:x}", f"{number:x}")), by_text

    async def serve(self):
        await self.server.start()
        while True:
            match await self.server.next():
                case smpp34.Esme() as esme:
                    self.esme = esme
                    self.bound.set()
                case smpp34.SubmitSmEvent() as event:
                    told, receipted = self.form(next(self._ids))
                    self.submits.append(event)
                    event.accept(told)
                    if event.registered_delivery:
                        self.deliver(event.destination_addr, event.source_addr, **self.receipts(receipted))

    def deliver(self, source, destination, **fields):
        """Send a deliver_sm; its status is kept."""
        task = asyncio.create_task(self._deliver(source, destination, fields))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _deliver(self, source, destination, fields):
        answer = await self.esme.deliver_sm(destination, source_addr=source, **fields)
        self.acknowledged.append(answer.command_status)

    async def say(self, source, words, answers=1, **fields):
        """A handset texts us; gives the words of what goes back."""
        before = len(self.submits)
        self.deliver(source, CODE, **{"short_message": words.encode()} | fields)
        await until(lambda: len(self.submits) >= before + answers)
        return [event.short_message.replace(b"\x01", "£".encode()).decode() for event in self.submits[before:]]


def by_text(message_id):
    """A receipt whose text alone tells (appendix B)."""
    text = f"id:{message_id} sub:001 dlvrd:001 submit date:2611231200 done date:2611231201 stat:DELIVRD err:000 text:"
    return {"esm_class": 4, "short_message": text.encode()}


def by_tlv(message_id):
    """A receipt whose TLVs alone tell."""
    named = smpp34.Tlv(smpp34.TLV_RECEIPTED_MESSAGE_ID, message_id.encode() + b"\0")
    return {"esm_class": 4, "tlvs": [named, smpp34.Tlv(smpp34.TLV_MESSAGE_STATE, b"\x02")]}


@asynccontextmanager
async def desk_at_smpp34(folder, **options):
    port = free_port()
    smsc = Smsc(port)
    serving = asyncio.create_task(smsc.serve())
    await asyncio.sleep(0.1)
    try:
        async with SmsGateway(folder, port, **options) as desk:
            async with asyncio.timeout(PATIENCE):
                await smsc.bound.wait()
            yield desk, smsc
    finally:
        serving.cancel()
        with suppress(asyncio.CancelledError):
            await serving
        await smsc.server.stop()
