"""How long a test waits for what has to come: by then something hangs, on however busy a machine."""

import asyncio

PATIENCE = 90.0
"""Seconds. Only a test that fails waits so long: what is there sooner is seen sooner."""


async def until(condition, within=PATIENCE):
    """Wait until a condition holds."""
    async with asyncio.timeout(within):
        while not condition():  # noqa: ASYNC110 - what is waited for lies behind a socket, or on another thread
            await asyncio.sleep(0.002)
