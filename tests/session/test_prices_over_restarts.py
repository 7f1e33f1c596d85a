"""Prices over restarts: the store knows what plans were, whatever the files say now, and what was used by a wrong one."""

import asyncio
import json
import time

from support.diameter_rig import RawPeer
from support.gateways import subscribers
from support.sms_gateway import SmsGateway
from test_reload import MEGABYTE, ask, own_plans

ROWS = subscribers(2)
CHEAP, DEAR = "data: {price: 0.01, per: 1000000}", "data: {price: 0.10, per: 1000000}"


async def test_a_restart_with_other_prices_keeps_those_of_before_and_a_wrong_one_is_put_right(tmp_path):
    gateway = SmsGateway(tmp_path / "gw")
    plans = own_plans(gateway)
    good = plans.read_text()
    assert CHEAP in good
    async with gateway:
        await asyncio.to_thread(gateway.enrol, ROWS)
        peer = await RawPeer.open(gateway.diameter_port)
        assert await ask(peer, 1, 3, b"s;1", 3 * MEGABYTE) == 2001
        await peer.leave()
    plans.write_text(good.replace(CHEAP, DEAR, 1))  # the mistake
    async with gateway:
        peer = await RawPeer.open(gateway.diameter_port)
        assert await ask(peer, 1, 3, b"s;2", 2 * MEGABYTE) == 2001
        late = int(time.time()) - 3600  # used an hour ago, by the price of then
        assert await ask(peer, 2, 3, b"s;3", 5 * MEGABYTE, event_timestamp=late) == 2001
        plans.write_text(good)
        assert (await gateway.run("reload"))["applied"]
        rerate = ("usage", "rerate", "--plan", "payg-gb", "--since", "2020-01-01")
        told = await gateway.run(*rerate, "--dry-run")
        done = await gateway.run(*rerate)
        assert (told["records"], told["price_before"], told["price_after"]) == (3, "0.28", "0.10")
        assert {**told, "dry_run": False} == done
        assert (await gateway.run(*rerate))["records"] == 0
        await peer.leave()
        used = await asyncio.to_thread(gateway.usage)
        assert [float(row["price"]) for row in used] == [0.03, 0.02, 0.05]
        gateway.check()
    plans.write_text(good.replace("payg-gb:", "payg-uk:"))
    refused = await asyncio.to_thread(gateway.tpo, "config", "check", "--json", ok=(78,))
    problems = json.loads(refused.stdout)["problems"]
    assert any("2 customers stand on payg-gb" in each["message"] and each["key"] == "plans" for each in problems)
    refused = await asyncio.to_thread(gateway.tpo, "run", ok=(78,))
    assert "2 customers stand on payg-gb" in refused.stderr
