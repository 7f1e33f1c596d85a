"""Taxes and kept prices by command: a plan changes, and who was there keeps its prices until it agrees to new ones."""

import asyncio

from support.diameter_rig import RawPeer
from support.gateways import subscribers
from support.sms_gateway import SmsGateway
from test_reload import MEGABYTE, ask, own_plans

ROWS = subscribers(2)
CHEAP, DEAR = "data: {price: 0.01, per: 1000000}", "data: {price: 0.10, per: 1000000}"
OWNER = ROWS[0][0]


async def test_a_line_keeps_its_prices_until_it_agrees_and_each_price_says_its_tax(tmp_path):
    gateway = SmsGateway(tmp_path / "gw")
    plans = own_plans(gateway)
    async with gateway:
        await asyncio.to_thread(gateway.enrol, ROWS)
        good = plans.read_text()
        plans.write_text(good.replace(CHEAP, f"grandfathered: true\n  {DEAR}", 1))
        assert (await gateway.run("reload"))["applied"]
        peer = await RawPeer.open(gateway.diameter_port)
        assert await ask(peer, 1, 3, b"s;1", 3 * MEGABYTE) == 2001  # by the price that the line keeps
        kept, latest = await gateway.run("plan", "versions", "payg-gb")
        assert (kept["state"], kept["lines"], latest["lines"]) == ("former", 2, 0)
        assert latest["former_kept_until"] == "for good"
        price = ("plan", "price", "--plan", "payg-gb", "--octets", "3000000")
        told = [await gateway.run(*price, "--version", str(each["version"])) for each in (kept, latest)]
        assert [each["price"] for each in told] == ["0.03", "0.30"]
        assert (told[1]["tax"], told[1]["net"], told[1]["tax_amount"]) == ("inclusive GB", "0.25", "0.05")
        agreed = await gateway.run("subscriber", "agree", OWNER, "--reason", "by text")
        assert (agreed["version_before"], agreed["version"]) == (kept["version"], latest["version"])
        assert await ask(peer, 2, 3, b"s;2", 3 * MEGABYTE) == 2001
        shown = await gateway.run("subscriber", "show", OWNER)
        assert (shown["plan_version"], shown["tax"]["jurisdiction"]) == (latest["version"], "GB")
        area = await gateway.run("subscriber", "tax-area", OWNER, "--state", "NY", "--zip", "10001", "--reason", "form")
        assert (area["state"], area["known"]) == ("NY", False)  # nobody has the taxes of New York
        await peer.leave()
        used = await asyncio.to_thread(gateway.usage)
        assert [float(row["price"]) for row in used] == [0.03, 0.30]
        report = await gateway.run("ledger", "tax", "2026-11")
        assert (report["rows"], report["last_day"]) == ([], None)  # a day is booked once it is over
        gateway.check()
    refused = await asyncio.to_thread(
        gateway.tpo, "plan", "price", "--plan", "payg-gb", "--version", "99", "--texts", "1", ok=(1,)
    )
    assert "has no version 99" in refused.stderr
