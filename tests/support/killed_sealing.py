"""Seal the months of a store in processes that are killed: at one step of the turn, a later one, ..., until one lives.

Run as `python killed_sealing.py CONFIG NOW STRIDE`: after each death a JSON line tells where it was, which months count by
their files, how many entries the store still has, and a digest of what reports tell. Steps are what changes a file, and each
statement and commit of the lane.
"""

import asyncio
import hashlib
import json
import os
import signal
import sys
from pathlib import Path

from sqlalchemy import event, text

from gateway.background import Background
from gateway.charity.policies import recompute
from gateway.context import GatewayContext
from gateway.environment import Environment
from gateway.metrics.registry import Metrics
from gateway.policies import make_policies
from gateway.runtime.component import Services
from gateway.runtime.components.sealed_months import SealedMonthsComponent
from gateway.settings import load
from gateway.store.engine import open_reader, sqlite_path
from gateway.store.sealed_months import writing
from gateway.store.sealed_months.records import sealed_months
from support.books import check
from support.sealing import reports

STEPS = ("open", "os.rename", "os.remove", "os.mkdir", "sqlite3.connect")


class Places:
    """Counts the steps, and kills this process at one of them."""

    def __init__(self, place):
        self.place, self.passed = place, None

    def step(self):
        if self.passed is not None:
            self.passed += 1
            if self.passed == self.place:
                os.kill(os.getpid(), signal.SIGKILL)

    def watch(self, engine):
        commit = engine.dialect.do_commit

        def do_commit(connection):
            self.step()
            commit(connection)
            self.step()

        event.listen(engine, "before_cursor_execute", lambda *_: self.step())
        engine.dialect.do_commit = do_commit
        sys.addaudithook(lambda name, _arguments: self.step() if name in STEPS else None)


def seal(config, now, place):
    """Take one turn; gives how many steps it had."""
    writing.STEP = 40

    async def turn():
        loop = asyncio.get_running_loop()

        def deliver(jobs):
            loop.call_soon_threadsafe(lambda: [job.done(job.answer, job.error) for job in jobs])

        environment = Environment(clock=lambda: now)
        settings = load(config)
        context = GatewayContext(settings, make_policies, deliver=deliver, environment=environment)
        places = Places(place)
        places.watch(context._writer)
        services = Services(context, Metrics(), Background(), lambda *_: None, lambda _: None)
        component = SealedMonthsComponent(services, sqlite_path(settings.store.url))
        places.passed = 0
        await component.turn()
        steps, places.passed = places.passed, None
        context.close()
        assert component.trouble == "", component.trouble
        return steps

    return asyncio.run(turn())


def look(url):
    engine = open_reader(url)
    with engine.connect() as connection:
        findings = check(connection, recompute).findings
        told = hashlib.sha256(repr(reports(connection)).encode()).hexdigest()
        months = [month.period for month in sealed_months(connection)]
        left = connection.execute(text("SELECT count(*) FROM main.transfers")).scalar()
    engine.dispose()
    return {"findings": [str(each) for each in findings], "told": told, "months": months, "left": left}


def main(config, now, stride):
    settings, place, status = load(Path(config)), 1, 1
    while status:
        child = os.fork()
        if not child:
            seal(Path(config), int(now), place)
            os._exit(0)
        status = os.waitpid(child, 0)[1]
        assert status in (0, signal.SIGKILL), f"it ended by itself: {status}"
        print(json.dumps({"place": place, "killed": bool(status), **look(settings.store.url)}))
        place += int(stride)


if __name__ == "__main__":
    main(*sys.argv[1:])
