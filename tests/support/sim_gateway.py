"""A gateway with hosts, and orders as its operators place them."""

import asyncio
import time
from contextlib import asynccontextmanager

import msgspec

from support.disk import Disk
from support.patience import PATIENCE
from support.sms_gateway import Centre, SmsGateway

KI, OPC = "465b5ce8b199b49faa5f0a2ee238a6bc", "cd63cb71954a9f4e48a5994e37a02baf"
"""TS 35.208 test set 1."""
ICCID, IMSI, MSISDN = "8944538523456789012", "234150000000001", "447700900101"


def card(number):
    """One row of `sim import`: its keys are its own."""
    return {
        "iccid": f"894453852345{number:07d}",
        "imsi": f"23415{number:010d}",
        "ki": f"{number:032x}",
        "opc": f"{number + (1 << 64):032x}",
        "eid": "",
    }


def phone(number):
    """The MSISDN of one card of `card`."""
    return f"4477009{number:05d}"


class SimGateway(SmsGateway):
    """A gateway that knows these hosts; `hosts` are rows of provisioning.hosts. With `power`, a kill is a power cut."""

    def __init__(self, folder, *ports, hosts, provisioning="swap_notice: 1s", power=False, **options):
        super().__init__(folder, *ports, **options)
        self.disk = Disk(self.folder / "var", power=True) if power else None
        rows = "".join(f"\n    - {host}" for host in hosts)
        keys = f"\n  {provisioning}" if provisioning else ""
        self.config.write_text(self.config.read_text() + f"provisioning:\n  hosts:{rows}{keys}\n")

    async def import_cards(self, rows):
        """Take cards into the inventory."""
        ok, told = await self.act("sim.import", rows=rows, accept_checksum=True)
        assert ok, told
        assert {result["outcome"] for result in told["results"]} == {"created"}, told

    async def act(self, action, **params):
        """Run an action by the socket; gives (ok, what it answered)."""
        from gateway.cli.client import ActionRefused, JsonObject, call
        from gateway.settings import load

        settings = load(self.config, for_client=True)
        try:
            return True, await asyncio.to_thread(call, settings, action, params, JsonObject)
        except ActionRefused as refused:
            return False, msgspec.to_builtins(refused.problem)

    async def order(self, kind, iccid, **params):
        """Place an order and wait for its end; gives it as `order show` tells it."""
        ok, taken = await self.act(f"sim.{kind}", iccid=iccid, **params)
        assert ok, taken
        return await self.ended(taken["order"])

    async def ended(self, order_id, *, states=("done", "failed", "compensated", "cancelled")):
        """Wait until an order is in one of these states."""
        give_up = time.monotonic() + PATIENCE
        while (order := (await self.act("order.show", id=order_id))[1])["state"] not in states:
            assert time.monotonic() < give_up, (order, self.log.read_text()[-2000:])
            await asyncio.sleep(0.03)
        return order

    async def sim(self, iccid):
        """A card as `sim show` tells it."""
        ok, told = await self.act("sim.show", iccid=iccid)
        assert ok, told
        return told


@asynccontextmanager
async def sim_desk(folder, *, hosts, links=True, **options):
    """A gateway with hosts, bound to a message centre."""
    async with (
        Centre() as centre,
        SimGateway(folder, *([centre.port] if links else []), hosts=hosts, **options) as desk,
    ):
        if links:
            await centre.bound()
        yield desk, centre
