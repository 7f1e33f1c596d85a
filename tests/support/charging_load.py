"""A PGW's load on a gateway in trouble, and the figures of it."""

import asyncio
import time

from support.gateways import subscribers
from support.patience import PATIENCE
from support.stubborn_pgw import StubbornPgw

CUSTOMERS = 300
OPENING = 1000
"""Pounds of each."""


def enrol(gateway):
    rows = subscribers(CUSTOMERS, balance=f"{OPENING}.00")
    assert gateway.enrol(rows)["created"] == CUSTOMERS
    return [(row[0], row[1]) for row in rows]


async def under_load(gateway, chance, trouble):
    """Run `trouble` while the PGW works, then let every session come to its end."""
    pgw = StubbornPgw(gateway.diameter_port, await asyncio.to_thread(enrol, gateway), chance)
    load = asyncio.create_task(pgw.run())
    try:
        await trouble(pgw)
    finally:
        pgw.end()
    await asyncio.wait_for(load, PATIENCE)
    return pgw


def figures(began, pgw, records, **more):
    told = {
        "seconds": round(time.monotonic() - began, 1),
        "sessions": len(pgw.subscriber_of),
        "requests": pgw.requests,
        "retransmissions": pgw.retransmissions - pgw.repeats,
        "repeats of what was answered": pgw.repeats,
        "connections": pgw.connections,
        "busy": pgw.busy,
        "usage records": records,
    }
    print(", ".join(f"{name} {value}" for name, value in {**more, **told}.items()))
