"""A cause closes and nobody succeeds it: its customers are asked by text, once, over kills; no log says whose it was."""

import asyncio
import time

from support.gateways import ROOT, subscribers
from support.sms_gateway import CODE, PATIENCE, Centre, SmsGateway

from gateway.store.engine import open_writer
from gateway.store.tables import opt_outs

OPEN = (ROOT / "config" / "causes.yaml").read_text()
CLOSED = OPEN.replace("wwf:\n", "wwf:\n  open: false\n")


def says_stop(gateway, number):
    engine = open_writer(f"sqlite:///{gateway.folder}/var/tpo.db")
    with engine.begin() as connection:
        connection.execute(opt_outs.insert().values(msisdn=number, short_code=CODE, since=1))
    engine.dispose()


async def cause(gateway, name):
    (found,) = [row for row in (await gateway.run("charity", "causes"))["rows"] if row["id"] == name]
    return found


async def becomes(look, wanted):
    deadline = time.monotonic() + PATIENCE
    while not wanted(found := await look()):
        assert time.monotonic() < deadline, found
        await asyncio.sleep(0.05)


async def test_the_customers_of_a_closed_cause_are_asked_once_and_the_report_says_what_stands(tmp_path):
    givers, (other,) = subscribers(3, cause="wwf"), subscribers(4, cause="wateraid")[3:]
    async with Centre() as smsc:
        gateway = SmsGateway(tmp_path / "gw", smsc.port)
        written = gateway.config.read_text().replace("gift_window: 0s", "gift_window: 0s, after_asking: unassigned")
        written = "".join(f"{line}\n" for line in written.splitlines() if not line.startswith("causes:"))
        gateway.config.write_text(written + 'causes: causes.yaml\nnotices: {quiet_hours: "00:00-00:00"}\n')
        causes = gateway.folder / "causes.yaml"
        causes.write_text(OPEN)
        await asyncio.to_thread(gateway.enrol, [*givers, other])
        says_stop(gateway, givers[2][0])
        causes.write_text(CLOSED)
        async with gateway:
            await becomes(lambda: cause(gateway, "wwf"), lambda found: found["asked_until"])
            await smsc.has(2)
            await asyncio.to_thread(gateway.kill)
            await asyncio.to_thread(gateway.start)
            await smsc.bound(2)
            assert [(await cause(gateway, each))["after_asking"] for each in ("wwf", "wateraid")] == ["unassigned", ""]
            texts = await gateway.run("sms", "list", "--limit", "10")
    asked = [each for each in smsc.submits if b"your choice of a cause" in each.short_message]
    assert {each.destination_addr for each in asked} == {givers[0][0], givers[1][0]}
    assert len(texts) == 3, "one to each that has the cause, with the one that STOP keeps from going out"
    log = gateway.log.read_text()
    assert log.count("charity.closed.asked") <= 1
    assert not any(number in log for number, *_ in givers)
