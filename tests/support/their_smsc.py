"""A message centre of smpp34 in a process of its own, to be killed: takes every submit. Says when it listens."""

import asyncio
import sys

import smpp34


async def serve(port):
    """Take everything, for ever."""
    server = smpp34.Server("127.0.0.1", port, system_id="rust")
    await server.start()
    print("listening", flush=True)
    count = 0
    while True:
        event = await server.next()
        if isinstance(event, smpp34.SubmitSmEvent):
            count += 1
            event.accept(f"{count:x}")


if __name__ == "__main__":
    asyncio.run(serve(int(sys.argv[1])))
