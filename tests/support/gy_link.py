"""A client's connection on which many requests are in flight at once, by our own codec: for load, not for interop."""

import asyncio
import itertools
from contextlib import asynccontextmanager, suppress

from protocols.diameter.codec import FLAG_PROXIABLE, FLAG_REQUEST, encode_message
from protocols.diameter.generated import decode, encode
from protocols.diameter.messages import CreditControlAnswer
from support.diameter_rig import RawPeer
from support.patience import PATIENCE


class GyLink:
    """Ask with `ask`; each call waits for the answer to its own request."""

    def __init__(self, peer):
        self._peer = peer
        self._waiting = {}
        self._hop_by_hop = itertools.count(1)

    async def ask(self, request, *, flags=FLAG_REQUEST | FLAG_PROXIABLE):
        """Send a CreditControlRequest; the decoded answer."""
        number = next(self._hop_by_hop)
        answered = self._waiting[number] = asyncio.get_running_loop().create_future()
        self._peer.send(encode_message(flags, 272, 4, number, number, encode(request)))
        async with asyncio.timeout(PATIENCE):
            return decode(CreditControlAnswer, await answered)

    async def read(self):
        """Hand answers to those who wait, until the connection ends."""
        while True:
            header, frame = await self._peer.receive()
            if header.command_code == 272:
                self._waiting.pop(header.hop_by_hop).set_result(frame)


@asynccontextmanager
async def gy_link(port):
    """An open link to a gateway's port."""
    peer = await RawPeer.open(port)
    link = GyLink(peer)
    reading = asyncio.create_task(link.read())
    try:
        yield link
    finally:
        reading.cancel()
        with suppress(asyncio.CancelledError):
            await reading
        await peer.leave()
