"""What stands between an adapter and a real OsmoHLR, and has its changes refused, lost, or done without an answer."""

import asyncio
import struct
from contextlib import asynccontextmanager, suppress

from provisioning.orders import DECLINES

REFUSE, REFUSE_STILL, CUT_BEFORE, CUT_AFTER, CRASH_BEFORE, CRASH_AFTER = MODES = (
    "refuse", "refuse-still", "cut-before", "cut-after", "crash-before", "crash-after",
)  # fmt: skip
"""The HLR says no, once or until the order gives up on it; the connection ends with the change not done, or done; the gateway
is gone at that moment."""
PROMPT = b"OsmoHLR# "


class FaultyWay:
    """Relays CTRL and VTY. `changes` counts what was sent to change something since `befall`."""

    def __init__(self, hlr):
        self._hlr = hlr
        self.changes, self._at, self._mode = 0, -1, REFUSE
        self.crashed = asyncio.Event()
        self.ctrl = self.vty = None
        self._tasks = set()

    def befall(self, at=-1, mode=REFUSE):
        """Let the change number `at` from now on meet with a fault; -1: none."""
        self.changes, self._at, self._mode = 0, at, mode
        self.crashed.clear()

    @property
    def fell(self):
        """Whether the fault has happened."""
        return 0 <= self._at < self.changes

    def _next(self):
        self.changes += 1
        times = DECLINES if self._mode == REFUSE_STILL else 1
        return self._mode if 0 <= self._at < self.changes <= self._at + times else None

    async def _serve_ctrl(self, reader, writer):
        await self._relay(reader, writer, self._hlr.ctrl, self._ctrl_message)

    async def _serve_vty(self, reader, writer):
        await self._relay(reader, writer, self._hlr.vty, self._vty_message)

    async def _relay(self, reader, writer, address, take):
        self._tasks.add(asyncio.current_task())
        theirs, ours = await asyncio.open_connection(*address)
        back = asyncio.create_task(_pump(theirs, writer))
        try:
            while True:
                message, refusal = await take(reader)
                mode = self._next() if refusal is not None else None
                if mode is None:
                    ours.write(message)
                    continue
                if mode in (REFUSE, REFUSE_STILL):
                    writer.write(refusal)
                    continue
                if mode in (CUT_AFTER, CRASH_AFTER):
                    back.cancel()
                    await asyncio.gather(back, return_exceptions=True)
                    ours.write(message)
                    await theirs.read(4096)  # it has done it
                if mode in (CRASH_BEFORE, CRASH_AFTER):
                    self.crashed.set()
                return
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            back.cancel()
            ours.close()
            writer.close()

    async def _ctrl_message(self, reader):
        """Give a frame, and the ERROR that would refuse it if it is a SET."""
        header = await reader.readexactly(3)
        size, protocol = struct.unpack("!HB", header)
        payload = await reader.readexactly(size)
        verb, _, rest = payload[1:].partition(b" ")
        if protocol != 0xEE or verb != b"SET":
            return header + payload, None
        said = b"\x00ERROR " + rest.split(b" ", 1)[0] + b" Not today."
        return header + payload, struct.pack("!HB", len(said), 0xEE) + said

    async def _vty_message(self, reader):
        line = await reader.readuntil(b"\n")
        return line, None if line == b"enable\n" else line.strip() + b"\r\n% Not today.\r\n" + PROMPT

    async def end(self):
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)


async def _pump(reader, writer):
    with suppress(ConnectionError):
        while data := await reader.read(4096):
            writer.write(data)
    writer.close()


@asynccontextmanager
async def faulty_way(hlr):
    """Relay to an HLR until the block ends."""
    way = FaultyWay(hlr)
    servers = [await asyncio.start_server(serve, "127.0.0.1", 0) for serve in (way._serve_ctrl, way._serve_vty)]
    way.ctrl, way.vty = (server.sockets[0].getsockname() for server in servers)
    try:
        yield way
    finally:
        for server in servers:
            server.close()
        await way.end()
