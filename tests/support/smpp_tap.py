"""A TCP proxy in the test's loop that keeps every PDU that passes, cut by command_length and nothing else of ours."""

import asyncio
from contextlib import suppress


class SmppTap:
    """Stands before the port `target`; `asked` is what the side that dials wrote, `answered` what came back."""

    def __init__(self, target):
        self.target, self.port = target, 0
        self.asked, self.answered = [], []

    async def __aenter__(self):
        self._server = await asyncio.start_server(self._accept, "127.0.0.1", 0)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, *_):
        self._server.close()
        await self._server.wait_closed()

    async def _accept(self, reader, writer):
        far_reader, far_writer = await asyncio.open_connection("127.0.0.1", self.target)
        await asyncio.gather(
            self._carry(reader, far_writer, self.asked), self._carry(far_reader, writer, self.answered)
        )

    async def _carry(self, reader, writer, kept):
        pending = b""
        with suppress(ConnectionError):
            while data := await reader.read(65536):
                writer.write(data)
                pending += data
                while len(pending) >= 16 and len(pending) >= (size := int.from_bytes(pending[:4], "big")):
                    kept.append(pending[:size])
                    pending = pending[size:]
            await writer.drain()
        writer.close()
        with suppress(OSError):
            await writer.wait_closed()
