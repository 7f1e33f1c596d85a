"""A VLR (or SGSN) that the tests play: attaches phones to a real HLR over GSUP, and records what the HLR then tells it.

Written apart from the adapters on purpose: IPA frames, CCM identity and GSUP (osmo-hlr user manual, "Generic Subscriber
Update Protocol") are read and written here by this file alone.
"""

import asyncio
import contextlib
import struct
from types import SimpleNamespace

CCM, OSMO, GSUP = 0xFE, 0xEE, 0x05
PING, PONG, ID_GET, ID_RESP = 0x00, 0x01, 0x04, 0x05
SERIAL_NUMBER, UNIT_ID = 0x00, 0x08
IMSI_IE, MSISDN_IE, DOMAIN_IE = 0x01, 0x08, 0x28
UPDATE_LOCATION, UPDATE_LOCATION_ERROR, UPDATE_LOCATION_RESULT = 0x04, 0x05, 0x06
INSERT_DATA, DELETE_DATA = 0x10, 0x14
ANSWER = 0x02
"""Added to a request's type it is that of its result."""
PS, CS = 1, 2
NOBODY = "001019999999999"
SECONDS = 5


class Vlr:
    """One visited network. `pushed` holds what the HLR began: `kind`, `imsi`, and `msisdn` where it was told."""

    def __init__(self, address, name="vlr-of-the-tests", domain=CS):
        self.address, self.name, self.domain = address, name, domain
        self.pushed = []
        self._arrived = asyncio.Condition()
        self._results = []
        self._named = asyncio.Event()

    async def __aenter__(self):
        self._reader, self._writer = await asyncio.open_connection(*self.address)
        self._task = asyncio.create_task(self._listen())
        async with asyncio.timeout(SECONDS):
            await self._named.wait()
        return self

    async def __aexit__(self, *_):
        self._writer.close()
        with contextlib.suppress(OSError):
            await self._writer.wait_closed()
        await self._task

    async def attach(self, imsi):
        """A phone comes; tells whether the HLR lets it, and its number."""
        self._send(UPDATE_LOCATION, imsi, ((DOMAIN_IE, bytes((self.domain,))),))
        result = await self._wait(lambda: next((r for r in self._results if r.imsi == imsi), None))
        self._results.remove(result)
        told = [push.msisdn for push in self.pushed if (push.kind, push.imsi) == (INSERT_DATA, imsi)]
        return SimpleNamespace(accepted=result.kind == UPDATE_LOCATION_RESULT, msisdn=told[-1] if told else None)

    async def pushes(self, imsi):
        """Take what has been told of a phone by now: the HLR answers in order, so whatever it sent comes before this answer."""
        await self.attach(NOBODY)
        taken = [(push.kind, push.msisdn) for push in self.pushed if push.imsi == imsi]
        self.pushed = [push for push in self.pushed if push.imsi != imsi]
        return taken

    async def _wait(self, found):
        async with asyncio.timeout(SECONDS), self._arrived:
            await self._arrived.wait_for(found)
            return found()

    async def _listen(self):
        with contextlib.suppress(asyncio.IncompleteReadError, OSError):
            while True:
                size, protocol = struct.unpack("!HB", await self._reader.readexactly(3))
                payload = await self._reader.readexactly(size)
                if protocol == CCM:
                    self._identify(payload)
                elif (protocol, payload[0]) == (OSMO, GSUP):
                    await self._received(payload[1], dict(elements(payload[2:])))

    def _identify(self, payload):
        if payload[0] == PING:
            self._frame(CCM, bytes((PONG,)))
        elif payload[0] == ID_GET:
            name = self.name.encode() + b"\0"
            tags = ((UNIT_ID, b"0/0/0\0"), (SERIAL_NUMBER, name))
            self._frame(CCM, bytes((ID_RESP,)) + b"".join(struct.pack("!HB", len(v) + 1, t) + v for t, v in tags))
            self._named.set()  # the HLR does not acknowledge a name, but it has read it before anything that comes after

    async def _received(self, kind, found):
        imsi = digits(found[IMSI_IE])
        msisdn = digits(found[MSISDN_IE][1:]) if found.get(MSISDN_IE) else None
        message = SimpleNamespace(kind=kind, imsi=imsi, msisdn=msisdn)
        if kind in (UPDATE_LOCATION_ERROR, UPDATE_LOCATION_RESULT):
            self._results.append(message)
        else:
            self.pushed.append(message)
            self._send(kind + ANSWER, imsi)
        async with self._arrived:
            self._arrived.notify_all()

    def _send(self, kind, imsi, others=()):
        body = b"".join(bytes((tag, len(value))) + value for tag, value in ((IMSI_IE, bcd(imsi)), *others))
        self._frame(OSMO, bytes((GSUP, kind)) + body)

    def _frame(self, protocol, payload):
        self._writer.write(struct.pack("!HB", len(payload), protocol) + payload)


def elements(octets):
    """Walk tag, length, value."""
    while octets:
        tag, size = octets[:2]
        yield tag, octets[2 : 2 + size]
        octets = octets[2 + size :]


def bcd(number):
    padded = number + "f" * (len(number) % 2)
    return bytes(int(padded[at + 1] + padded[at], 16) for at in range(0, len(padded), 2))


def digits(octets):
    return "".join(f"{octet & 15:x}{octet >> 4:x}" for octet in octets).rstrip("f")
