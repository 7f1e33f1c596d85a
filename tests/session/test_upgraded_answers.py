"""A store of an earlier version holds answers as they went out: a repeat after the upgrade gets those very octets."""

import sqlite3
from contextlib import closing

from support import charging_fixture as charging
from support.diameter_rig import RawPeer
from support.gateways import Gateway, subscribers

from protocols.diameter.codec import FLAG_PROXIABLE, FLAG_REQUEST, FLAG_RETRANSMIT, encode_avp, encode_message
from protocols.diameter.generated import decode, encode
from protocols.diameter.messages import CreditControlAnswer

LINE = subscribers(1)
SESSION = "pgw.host.example;upgrade;1"
RENDERED = bytes.fromhex(
    "0000010c4000000c000007d1000001024000000c00000004000001a04000000c000000020000019f4000000c00000001000001c8"
    "40000068000001af40000018000001a54000001000000000000001f4000001b04000000c0000000a000001c04000000c00000e10"
    "0000010c4000000c000007d1000001ae40000014000001c14000000c0000000000000367c0000010000028af00000258"
)
"""An update's answer as the store had it: 500 octets of rating group 10, the last ones."""


def ask(request_type, number, *used):
    services = charging.service(10, list(used), ask=0)
    return charging.ccr(request_type, number, services, session=SESSION, imsi=LINE[0][1])


async def answers(gateway, *requests, flags=FLAG_REQUEST | FLAG_PROXIABLE):
    """The frames that answer these requests, one after the other."""
    peer = await RawPeer.open(gateway.diameter_port)
    frames = [
        (await peer.ask(encode_message(flags, 272, 4, number, number, encode(request))))[1]
        for number, request in enumerate(requests, 1)
    ]
    await peer.leave()
    return frames


async def test_a_repeat_gets_the_octets_that_an_earlier_version_stored(tmp_path):
    update = ask(2, 1, 1_000_000)
    with Gateway(tmp_path / "gw", diameter="  served_realms: [test.example]") as gateway:
        gateway.enrol(LINE)
        await answers(gateway, ask(1, 0), update)
        gateway.stop()
        with closing(sqlite3.connect(tmp_path / "gw" / "var" / "tpo.db")) as store, store:
            changed = store.execute("UPDATE answers SET body = ? WHERE request_type = 2", (RENDERED,)).rowcount
        assert changed == 1
        gateway.start()
        (frame,) = await answers(gateway, update, flags=FLAG_REQUEST | FLAG_PROXIABLE | FLAG_RETRANSMIT)
        usage, metrics = gateway.usage(), gateway.get("/metrics")[1]
    head = encode_avp(263, SESSION.encode()) + encode_avp(264, b"ocs.tpo.example") + encode_avp(296, b"tpo.example")
    assert frame[20:] == head + RENDERED
    (mscc,) = decode(CreditControlAnswer, frame).multiple_services_credit_control
    assert (mscc.granted_service_unit.cc_total_octets, mscc.final_unit_indication is not None) == (500, True)
    assert [int(row["octets"]) for row in usage] == [1_000_000]
    assert 'result="repeated"' in metrics
