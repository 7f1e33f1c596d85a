"""A flood of connections to a gateway with few file descriptors: peers and /livez still get in, and it stays ready."""

import asyncio
import resource

import pytest
from support.diameter_rig import RawPeer, ccr
from support.gateways import subscribers
from support.sms_gateway import SmsGateway

from protocols.diameter.generated import decode
from protocols.diameter.messages import (
    CreditControlAnswer,
    MultipleServicesCreditControl,
    RequestedServiceUnit,
    SubscriptionId,
)

DESCRIPTORS = 256
CONNECTIONS = 900
ROWS = subscribers(1)
WANTED = MultipleServicesCreditControl(
    requested_service_unit=RequestedServiceUnit(cc_total_octets=1000), rating_group=10
)
HALF = b"GET /livez HTTP/1.1\r\nHost: localhost\r\nX-More: "
WHOLE = b"GET /livez HTTP/1.1\r\nHost: localhost\r\n\r\n"


async def flood(port, said):
    """Connect as often as can be, and keep what is not closed."""
    ends = []
    for _ in range(CONNECTIONS):
        try:
            _, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.write(said)
            ends.append(writer)
        except OSError:
            continue
    return ends


@pytest.mark.parametrize("said", [HALF, b"", WHOLE], ids=["unfinished", "silent", "idle"])
@pytest.mark.parametrize("door", ["http", "diameter"])
async def test_nine_hundred_connections_at_256_descriptors_keep_nobody_out(tmp_path, said, door):
    gateway = SmsGateway(tmp_path)
    async with gateway:
        await asyncio.to_thread(gateway.enrol, ROWS)
        resource.prlimit(gateway.process.pid, resource.RLIMIT_NOFILE, (DESCRIPTORS, DESCRIPTORS))
        ends = await flood(gateway.http_port if door == "http" else gateway.diameter_port, said)
        for number in range(1, 4):
            status, _ = await asyncio.to_thread(gateway.get, "/livez")
            assert status == 200
            peer = await RawPeer.open(gateway.diameter_port)
            given = {
                "subscription_id": (SubscriptionId(1, ROWS[0][1]),),
                "multiple_services_credit_control": (WANTED,),
            }
            _, frame = await peer.ask(ccr(number, session_id=b"s;%d" % number, **given))
            assert decode(CreditControlAnswer, frame).result_code in (2001, 4012)
            await peer.leave()
        assert (await asyncio.to_thread(gateway.get, "/readyz"))[0] == 200
        for writer in ends:
            writer.close()
