"""The link alone: submit_sm and its response a second, our client beside smpp34's Python client, on the same SMSC.

The SMSC is our server side in a process of its own; window 64; rounds take turns, so that both meet the same neighbours.

    python -m tests.bench.link [--texts 20000] [--rounds 3] [--json]
"""

import argparse
import asyncio
import json
import multiprocessing
import statistics
import time

import smpp34

from protocols.smpp.client import Link, LinkConfig
from protocols.smpp.limits import Limits
from protocols.smpp.messages import SubmitSm, SubmitSmResp
from protocols.smpp.node_events import LinkUp
from protocols.smpp.server import Server, ServerConfig

WINDOW = 64
TEXT = b"Thank you for your gift of five pounds to WaterAid"


def smsc(port):
    """Serve until told to stop: every text is taken."""

    async def serve():
        numbers = iter(range(1, 1 << 31))
        server = Server(
            ServerConfig(system_id="smsc", limits=Limits(outstanding=4096)),
            [("127.0.0.1", 0, None)],
            authenticate=lambda _attempt: 0,
            on_request=lambda request: request.respond(SubmitSmResp(message_id=f"{next(numbers):x}")),
            on_result=lambda *_: None,
            on_ready=lambda _connection: None,
            on_event=lambda _event: None,
            clock=time.monotonic,
        )
        await server.start()
        port.send(server.ports[0])
        await asyncio.get_running_loop().run_in_executor(None, port.recv)
        await server.stop(1.0)

    asyncio.run(serve())


async def ours(port, texts):
    """Submit so many texts with our link; seconds."""
    left, answered, done, up = texts, 0, asyncio.Event(), asyncio.Event()

    def fill():
        nonlocal left
        while left and link.submit(SubmitSm(source_addr="70070", destination_addr="447700900101", short_message=TEXT)):
            left -= 1

    def answer(_result):
        nonlocal answered
        answered += 1
        fill()
        if answered == texts:
            done.set()

    link = Link(
        LinkConfig(name="b", host="127.0.0.1", port=port, system_id="tpo", limits=Limits(window=WINDOW)),
        on_request=lambda request: request.respond(),
        on_result=answer,
        on_ready=lambda: None,
        on_event=lambda event: up.set() if isinstance(event, LinkUp) else None,
        clock=time.monotonic,
        random=lambda: 0.5,
    )
    link.start()
    await up.wait()
    began = time.perf_counter()
    fill()
    await done.wait()
    seconds = time.perf_counter() - began
    await link.stop(2.0)
    return seconds


async def theirs(port, texts):
    """Submit so many texts with smpp34's client; seconds."""
    session = await smpp34.Client("127.0.0.1", port, "tpo", "secret", window_size=WINDOW).connect()
    left = texts

    async def worker():
        nonlocal left
        while left:
            left -= 1
            await session.submit_sm("447700900101", TEXT, source_addr="70070")

    began = time.perf_counter()
    await asyncio.gather(*(worker() for _ in range(WINDOW)))
    seconds = time.perf_counter() - began
    await session.unbind()
    return seconds


def main():
    """Run the rounds and print both rates."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--texts", type=int, default=20_000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    near, far = multiprocessing.get_context("spawn").Pipe()
    process = multiprocessing.get_context("spawn").Process(target=smsc, args=(far,))
    process.start()
    port = near.recv()
    rates = {"tpo": [], "smpp34": []}
    try:
        for _ in range(options.rounds):
            rates["tpo"].append(options.texts / asyncio.run(ours(port, options.texts)))
            rates["smpp34"].append(options.texts / asyncio.run(theirs(port, options.texts)))
    finally:
        near.send("stop")
        process.join(10)
    found = {name: round(statistics.median(each)) for name, each in rates.items()}
    found["ratio"] = round(found["tpo"] / found["smpp34"], 2)
    if options.json:
        print(json.dumps(found))
    else:
        print(f"submit_sm/s, window {WINDOW}, median of {options.rounds} rounds of {options.texts}:")
        print(f"  our link {found['tpo']}   smpp34's Python client {found['smpp34']}   ratio {found['ratio']}")


if __name__ == "__main__":
    main()
