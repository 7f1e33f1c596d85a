"""A storm of refusals in the log of a gateway that cannot write: a few lines, and no count is lost."""

import asyncio
import json
import re
import sqlite3

from support.diameter_rig import RawPeer, ccr
from support.gateways import Gateway, subscribers
from support.log_lines import lines_of, stood_for

from protocols.diameter.codec import encode_avp
from protocols.diameter.messages import MultipleServicesCreditControl, RequestedServiceUnit, SubscriptionId

STORM = 2000
AT_ONCE = 100
(CUSTOMER,) = subscribers(1)
SUCCESS, TOO_BUSY = (encode_avp(268, code.to_bytes(4, "big")) for code in (2001, 3004))


def request(number):
    services = MultipleServicesCreditControl(requested_service_unit=RequestedServiceUnit(), rating_group=10)
    return ccr(
        number,
        session_id=b"storm;%d" % number,
        subscription_id=(SubscriptionId(1, CUSTOMER[1]),),
        multiple_services_credit_control=(services,),
    )


def rename(gateway, table, name):
    """Take a table away from a running gateway: no batch can be written until it is back."""
    connection = sqlite3.connect(gateway.folder / "var" / "tpo.db", isolation_level=None)
    connection.execute(f"ALTER TABLE {table} RENAME TO {name}")
    connection.close()


def counted(gateway):
    """How often each event came, by the metrics."""
    _, text = gateway.get("/metrics")
    return {
        event: int(float(n)) for event, n in re.findall(r'^tpo_alarms_total\{event="(.+)"\} (\S+)$', text, re.MULTILINE)
    }


async def ask(peer, numbers):
    """Send these requests at once; gives the answers."""
    peer.send(b"".join(request(number) for number in numbers))
    return [(await peer.receive())[1] for _ in numbers]


async def test_two_thousand_refusals_of_a_store_that_cannot_write_take_less_than_fifty_lines_that_add_up(tmp_path):
    with Gateway(tmp_path / "gw") as gateway:
        await asyncio.to_thread(gateway.enrol, [CUSTOMER])
        peer = await RawPeer.open(gateway.diameter_port)
        await asyncio.to_thread(rename, gateway, "sessions", "away")
        for first in range(0, STORM, AT_ONCE):
            answers = await ask(peer, range(first, first + AT_ONCE))
            assert all(TOO_BUSY in answer for answer in answers)
        alarms = await asyncio.to_thread(counted, gateway)
        await asyncio.to_thread(rename, gateway, "away", "sessions")
        assert SUCCESS in (await ask(peer, [STORM]))[0]
        await peer.leave()
        await asyncio.to_thread(gateway.stop)
    written = [json.loads(line) for line in gateway.log.read_text().splitlines()]
    assert len(written) < 50
    assert written[-1]["event"] == "daemon.stopped"
    refused = lines_of(gateway, "diameter.message.rejected")
    assert {line["identity"] for line in refused} == {"pgw.host.example"}
    assert stood_for(refused) == alarms["diameter.message.rejected"] == STORM
    failed = lines_of(gateway, "store.unavailable")
    assert failed[0]["level"] == "error"
    assert stood_for(failed) == alarms["store.unavailable"] > len(failed)
