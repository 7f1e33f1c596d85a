"""The SMPP link alone, the reference of texts: submit_sm and its response, by our client and by smpp34's Python client."""

import asyncio
import time

import smpp34

from protocols.smpp.client import Link, LinkConfig
from protocols.smpp.limits import Limits
from protocols.smpp.messages import SubmitSm
from protocols.smpp.node_events import LinkUp
from tests.bench.smsc import WINDOW

TEXT = b"Thank you for your gift of five pounds to WaterAid"


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
