"""Divide a store into months in processes that are killed: at the first statement, some later, ..., until one lives.

Run as `python killed_division.py URL HOW NOW STRIDE`, HOW `beside` (tpo db partition) or `keep` (a gateway's turn): after each
death a row is booked, and a JSON line tells where it was killed and whether the months have begun.
"""

import json
import os
import signal
import sys

from sqlalchemy import insert

from gateway.store import division, keep_months
from gateway.store.batch import Batch
from gateway.store.engine import open_reader, open_writer
from gateway.store.months import is_begun, partitions
from gateway.store.nodes import Node
from gateway.store.tables import transfers, usage
from support.killed_upgrade import kill_at


def divide(url, how, now, place):
    engine = open_writer(url)
    kill_at(engine, place)
    if how == "beside":
        division.divide(engine, now, lambda _: None)
        return
    node = Node(id=1, name="n", origin_state_id=1, starts=1, next_id=1, ceiling=1)
    with engine.begin() as connection:
        keep_months.KeepMonths(86_400 * 400).decide(Batch(connection, node, now, {}))


def book(engine, number, at):
    entry = {"id": number, "at": at, "kind": "charge", "debit": 1 << 40, "credit": 2, "amount": 7, "currency": "GBP"}
    used = {"id": number, "event_at": at, "subscriber_id": 1 << 40, "session": 1, "service": "data", "price": 7}
    amounts = {"octets": 1, "seconds": 0, "units": 0, "currency": "GBP", "plan": "p"}
    with engine.begin() as connection:
        connection.execute(insert(transfers).values(event_at=at, usage_id=number, **entry))
        connection.execute(insert(usage).values(**used, **amounts))


def main(url, how, now, stride):
    place, status = 1, 1
    while status:
        child = os.fork()
        if not child:
            divide(url, how, int(now), place)
            os._exit(0)
        status = os.waitpid(child, 0)[1]
        assert status in (0, signal.SIGKILL), f"it ended by itself: {status}"
        engine = open_writer(url)
        book(engine, place, int(now))
        engine.dispose()
        reader = open_reader(url)
        with reader.connect() as connection:
            begun = [is_begun(partitions(connection, table)) for table in (transfers, usage)]
        reader.dispose()
        print(json.dumps({"place": place, "killed": bool(status), "begun": begun}))
        place += int(stride)


if __name__ == "__main__":
    main(*sys.argv[1:])
