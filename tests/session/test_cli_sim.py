"""`tpo sim` and `tpo order` against a gateway process and a host with an activation API, as an operator types them."""

import asyncio
import csv
import json
import subprocess
import sys
from contextlib import asynccontextmanager

from support.gateways import ROOT, Gateway

from simulators.host_api import HostApi
from simulators.host_faults import Fault


def iccid(number):
    return f"894410{number:013d}"


def write_cards(folder, count):
    file = folder / "cards.csv"
    with file.open("w", newline="") as out:
        writer = csv.writer(out)
        writer.writerow(["iccid", "imsi", "ki", "opc"])
        writer.writerows([iccid(n), f"23415{n:010d}", f"{n:032x}", f"{n + 2**64:032x}"] for n in range(count))
    return file


def write_activations(folder, count):
    file = folder / "lines.csv"
    with file.open("w", newline="") as out:
        writer = csv.writer(out)
        writer.writerow(["iccid", "msisdn", "plan", "cause"])
        writer.writerows([iccid(n), f"4477009{n:05d}", "payg-gb", "wateraid"] for n in range(count))
    return file


@asynccontextmanager
async def place(tmp_path, cards, rate=0):
    """A host, and a gateway that took cards in while it was stopped and makes `rate` calls a second: (host, gateway)."""
    async with HostApi() as host:
        called = f"url: '{host.url}', poll: 1s, timeout: 2s, rate: {rate}"
        hosts = f"{{name: host, adapter: tmf640, plans: [payg-gb], {called}}}"
        gateway = Gateway(tmp_path, extra=f"provisioning: {{hosts: [{hosts}], welcome: ''}}")
        taken = await asyncio.to_thread(
            gateway.json, "sim", "import", str(write_cards(tmp_path, cards)), "--accept-checksum"
        )
        assert taken["created"] == cards
        await asyncio.to_thread(gateway.start)
        try:
            yield host, gateway
        finally:
            await asyncio.to_thread(gateway.stop)


async def test_a_line_is_activated_suspended_resumed_swapped_and_terminated_by_command(tmp_path):
    async with place(tmp_path, 2) as (host, gateway):

        def run(*arguments, **options):
            return asyncio.to_thread(gateway.tpo, *arguments, **options)

        async def tell(*arguments):
            return json.loads((await run(*arguments, "--json")).stdout)

        old, new = iccid(0), iccid(1)
        activate = ("sim", "activate", old, "--msisdn", "447700900001", "--plan", "payg-gb", "--key", "shop-1")
        done = await run(*activate, "--cause", "wateraid", "--wait")
        assert "line.enable: done\n" in done.stderr
        assert (await tell(*activate, "--cause", "wateraid"))["repeated"] is True
        assert "order.key" not in (await run(*activate, ok=(1,))).stdout
        assert (await tell("subscriber", "show", "447700900001"))["iccid"] == old
        await run("sim", "suspend", old, "--reason", "credit", "--wait")
        await run("sim", "suspend", old, "--reason", "lost", "--wait")
        card = await tell("sim", "show", old)
        assert (card["state"], card["suspended_for"], card["observed"]) == ("suspended", ["credit", "lost"], "barred")
        assert "say which is gone" in (await run("sim", "resume", old, ok=(64,))).stderr
        await run("sim", "resume", old, "--reason", "lost", "--wait")
        await run("sim", "resume", old, "--wait")
        await run("sim", "swap", old, new, "--wait")
        assert [row["state"] for row in await tell("sim", "list")] == ["quarantined", "active"]
        assert (await tell("subscriber", "show", "447700900001"))["iccid"] == new
        await run("sim", "reconcile")
        await run("sim", "terminate", new, "--yes", "--wait")
        assert {row["after"] for row in (await tell("sim", "show", new))["history"]} >= {"active", "quarantined"}
        orders = await tell("order", "list")
        assert {order["state"] for order in orders} == {"done"}
        assert "host.terminate" in (await run("order", "show", orders[0]["id"])).stdout
        assert max(host.inventory.effects.values()) == 1


async def test_what_the_host_refuses_exits_1_and_leaves_the_card_in_stock(tmp_path):
    async with place(tmp_path, 1) as (host, gateway):
        host.faults.next_changes(Fault.CONFLICT)
        activate = ("sim", "activate", iccid(0), "--msisdn", "447700900001", "--plan", "payg-gb", "--wait")
        ended = await asyncio.to_thread(gateway.tpo, *activate, ok=(1,))
        assert "the order is compensated: " in ended.stderr
        assert (await asyncio.to_thread(gateway.json, "sim", "show", iccid(0)))["state"] == "in_stock"


async def test_a_bulk_goes_on_over_a_killed_gateway_and_orders_each_line_once(tmp_path):
    count = 150
    async with place(tmp_path, count, rate=100) as (host, gateway):
        file = write_activations(tmp_path, count)
        checked = await asyncio.to_thread(gateway.json, "sim", "bulk", str(file), "--dry-run")
        assert checked == {"rows": count, "good": count, "faults": []}
        command = [sys.executable, "-m", "gateway.cli", "--config", str(gateway.config), "sim", "bulk", str(file)]
        bulk = await asyncio.create_subprocess_exec(
            *command, "--json", cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE
        )
        async with asyncio.timeout(60):
            while len(host.inventory.effects) < count / 3:  # noqa: ASYNC110  (the host has no event for this)
                await asyncio.sleep(0.01)
        gateway.kill()
        await asyncio.wait_for(bulk.stderr.readuntil(b"waiting for it"), 60)
        await asyncio.to_thread(gateway.start)
        out, errors = await asyncio.wait_for(bulk.communicate(), 120)
        assert (bulk.returncode, json.loads(out)["done"]) == (0, count), errors
        again = await asyncio.to_thread(gateway.json, "sim", "bulk", str(file))
        assert again["done"] == count
        assert len(host.inventory.effects) == count
        assert set(host.inventory.effects.values()) == {1}
        assert len(await asyncio.to_thread(gateway.json, "order", "list", "--limit", "1000")) == count
        with (tmp_path / "lines.csv.results.csv").open(newline="") as lines:
            assert [row["state"] for row in csv.DictReader(lines)] == ["done"] * count
