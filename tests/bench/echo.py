"""The bench's reference: our node decodes each Credit-Control-Request and answers the same thing, without any state.

`python -m tests.bench.echo PORT` serves on that port until SIGTERM.
"""

import asyncio
import random
import signal
import sys
import time

import uvloop

from protocols.diameter.codec import encode_avp
from protocols.diameter.generated import decode, encode
from protocols.diameter.messages import (
    CreditControlAnswer,
    CreditControlRequest,
    GrantedServiceUnit,
    MultipleServicesCreditControl,
)
from protocols.diameter.node import Application, DisconnectCause, Node, NodeIdentity, PeerConfig
from tests.bench import frames

_FIXED = encode(
    CreditControlAnswer(
        origin_host=frames.SERVER,
        origin_realm=frames.SERVER_REALM,
        result_code=2001,
        auth_application_id=4,
        cc_request_type=2,
        cc_request_number=1,
        multiple_services_credit_control=(
            MultipleServicesCreditControl(
                granted_service_unit=GrantedServiceUnit(cc_total_octets=10_000_000),
                rating_group=frames.RATING_GROUP,
                validity_time=3600,
                result_code=2001,
                volume_quota_threshold=2_000_000,
                quota_holding_time=600,
            ),
        ),
    )
)


def _echo(request):
    ccr = decode(CreditControlRequest, request.frame)
    request.answer(encode_avp(263, ccr.session_id) + _FIXED)


async def _serve(port):
    stop = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
    node = Node(
        NodeIdentity(origin_host=frames.SERVER, origin_realm=frames.SERVER_REALM),
        [PeerConfig(identity=frames.CLIENT, realm=frames.CLIENT_REALM)],
        {4: Application(_echo, frozenset({272}))},
        [("127.0.0.1", port, None)],
        clock=time.monotonic,
        random=random.random,
        on_event=lambda event: None,
    )
    await node.start()
    await stop.wait()
    await node.stop(DisconnectCause.REBOOTING, 2.0)


if __name__ == "__main__":
    uvloop.run(_serve(int(sys.argv[1])))
