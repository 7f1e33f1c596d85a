"""A client that asks for quota and is told a Result-Code, or loses its connection: for tests of what is acknowledged."""

from protocols.diameter.messages import MultipleServicesCreditControl, RequestedServiceUnit, SubscriptionId
from support.diameter_rig import RawPeer, ccr

RESULT_CODE = bytes.fromhex("0000010c4000000c")
"""The AVP's head: its code, its flags, its length (RFC 6733 §7.1)."""


def initial(number, imsi):
    """The CCR-I of a session of its own."""
    services = MultipleServicesCreditControl(requested_service_unit=RequestedServiceUnit(), rating_group=10)
    return ccr(
        number,
        session_id=b"results;%d" % number,
        subscription_id=(SubscriptionId(1, imsi),),
        multiple_services_credit_control=(services,),
    )


class Asking:
    """One client of a gateway, which connects again when it has to; `results` are what it was told, None: it was cut off."""

    def __init__(self, gateway, imsi):
        self._gateway, self._imsi, self._peer, self._number = gateway, imsi, None, 0
        self.results = []

    async def ask(self):
        """Begin a session; the Result-Code, or None for a connection that ended instead."""
        self._number += 1
        try:
            if self._peer is None:
                self._peer = await RawPeer.open(self._gateway.diameter_port)
            self._peer.send(initial(self._number, self._imsi))
            while True:
                header, frame = await self._peer.receive()
                if header.command_code == 272:
                    break
        except TimeoutError:
            raise  # it was not cut off: it hangs
        except (OSError, EOFError, AssertionError):
            self._peer = None
            self.results.append(None)
            return None
        place = frame.index(RESULT_CODE, 20) + len(RESULT_CODE)
        self.results.append(int.from_bytes(frame[place : place + 4], "big"))
        return self.results[-1]

    async def leave(self):
        """Let go of the connection."""
        if self._peer is not None:
            await self._peer.leave()
