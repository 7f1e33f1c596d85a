"""Reloads while the network works: nothing is lost, nothing is doubled, nobody is sent away who did not change.

TPO_RELOADS says how often the configuration changes (12).
"""

import asyncio
import os
import random

import pytest
from support.audit import reckon
from support.gateways import Gateway, subscribers
from support.patience import PATIENCE
from support.stubborn_pgw import StubbornPgw

RELOADS = int(os.environ.get("TPO_RELOADS", "12"))
CUSTOMERS = 300
OPENING = 1000
MARK = "  peers:"


def variants(base):
    """Configurations in turn: other grants, another peer that comes, changes and goes, other retention, a mistake."""
    more = f"{MARK}\n    - {{identity: other.host.example, realm: host.example%s}}"
    return [
        base.replace("charging: {}", "charging: {slice: 20000, validity: 30s}"),
        base.replace(MARK, more % ""),
        base.replace(MARK, more % ", relay: true").replace("charging: {}", "charging: {slice: 7000}"),
        base.replace("charging: {}", "charging: {slice: nothing}"),
        f"{base}\nretention: {{usage: 500d}}\n",
        base,
    ]


@pytest.mark.timeout(300 + 10 * RELOADS)
async def test_reloads_under_charging_load_lose_and_double_nothing(tmp_path):
    with Gateway(tmp_path / "gw") as gateway:
        rows = subscribers(CUSTOMERS, balance=f"{OPENING}.00")
        assert (await asyncio.to_thread(gateway.enrol, rows))["created"] == CUSTOMERS
        pgw = StubbornPgw(gateway.diameter_port, [(row[0], row[1]) for row in rows], random.Random(7))
        load = asyncio.create_task(pgw.run())
        codes = []
        try:
            texts = variants(gateway.config.read_text())
            for number in range(RELOADS):
                answered = pgw.requests
                gateway.config.write_text(texts[number % len(texts)])
                done = await asyncio.to_thread(gateway.tpo, "reload", ok=(0, 78))
                codes.append(done.returncode)
                while pgw.requests < answered + 100:  # noqa: ASYNC110  (the load goes on)
                    await asyncio.sleep(0.005)
            gateway.config.write_text(texts[-1])
        finally:
            pgw.end()
        await asyncio.wait_for(load, PATIENCE)
        assert codes == [78 if number % len(texts) == 3 else 0 for number in range(RELOADS)]
        assert pgw.connections == 1
        records = await asyncio.to_thread(
            reckon, gateway, pgw, f"sqlite:///{gateway.folder}/var/tpo.db", OPENING * 1_000_000
        )
        assert records > 100 * RELOADS // 2
        assert "Traceback" not in gateway.log.read_text()
