"""A PostgreSQL store in trouble under a running gateway: the client is told 3004, nobody's request is called unbookable (5012).

And when the trouble is over, the gateway is ready again by itself, without a request that finds it out.
"""

import asyncio
import json
import time
from contextlib import closing, contextmanager

import psycopg
import pytest
from support import postgres, read_faults
from support.gateways import Gateway, subscribers
from support.gy_results import Asking
from support.patience import PATIENCE

SUCCESS, TOO_BUSY = 2001, 3004
ROWS = subscribers(2)
pytestmark = [
    pytest.mark.skipif(not postgres.BINARIES, reason="PostgreSQL is not installed (package postgresql)"),
]


def run(url, *statements):
    with psycopg.connect(url.replace("/reads", "/postgres"), autocommit=True) as server:
        for statement in statements:
            server.execute(statement)


END_ALL = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = 'reads'"


@contextmanager
def read_only(_gateway, url):
    """As after a failover to a standby that was not promoted."""
    run(url, "ALTER DATABASE reads SET default_transaction_read_only = on", END_ALL)
    try:
        yield
    finally:
        run(url, "ALTER DATABASE reads RESET default_transaction_read_only", END_ALL)


@contextmanager
def too_slow(_gateway, url):
    """A row that another transaction does not let go of, and a server that gives up waiting for it."""
    run(url, "ALTER DATABASE reads SET lock_timeout = 200", END_ALL)
    with closing(psycopg.connect(url)) as holder:
        holder.execute("LOCK TABLE sessions")
        yield
        # The lock goes with its holder's connection, so that none of the gateway's is good again before it is ended.
        run(url, "ALTER DATABASE reads RESET lock_timeout", END_ALL)


@contextmanager
def another_database(_gateway, url):
    """The server was restored: another database answers by the name."""
    run(url, "ALTER DATABASE reads ALLOW_CONNECTIONS false", END_ALL)
    run(
        url,
        "CREATE DATABASE copy TEMPLATE reads",
        "ALTER DATABASE reads RENAME TO away",
        "ALTER DATABASE copy RENAME TO reads",
    )
    with psycopg.connect(url, autocommit=True) as other:
        other.execute("UPDATE nodes SET next_id = next_id - 1048576")  # of before the last block was taken
    yield


def checks(gateway):
    return json.loads(gateway.get("/readyz")[1])["checks"]


@pytest.mark.parametrize(
    "trouble", [read_faults.tables_away, read_faults.connections_cut, read_only, too_slow], ids=lambda way: way.__name__
)
async def test_a_server_in_trouble_is_told_as_busy_and_comes_back_by_itself(tmp_path, trouble):
    with postgres.server() as make:
        url = make("reads")
        with Gateway(tmp_path / "gw", store=url) as gateway:
            await asyncio.to_thread(gateway.enrol, ROWS)
            client = Asking(gateway, ROWS[0][1])
            assert await client.ask() == SUCCESS
            with trouble(gateway, url):
                await asyncio.sleep(0.5)  # until every connection that there was has met it
                results = [await client.ask() for _ in range(6)]
                assert checks(gateway)["store"] is False
            assert set(results) <= {TOO_BUSY, None}
            assert TOO_BUSY in results
            end = time.monotonic() + PATIENCE
            while checks(gateway) != {"not_draining": True, "store": True} or await client.ask() != SUCCESS:
                assert time.monotonic() < end
                await asyncio.sleep(0.1)
            await asyncio.to_thread(gateway.check)
            log = gateway.log.read_text()
            await client.leave()
    assert "store.unit.poisoned" not in log
    assert "Traceback" not in log


async def test_an_older_copy_behind_the_same_name_is_not_gone_on_with(tmp_path):
    with postgres.server() as make:
        url = make("reads")
        with Gateway(tmp_path / "gw", store=url) as gateway:
            await asyncio.to_thread(gateway.enrol, ROWS)
            client = Asking(gateway, ROWS[0][1])
            assert await client.ask() == SUCCESS
            with another_database(gateway, url):
                results = [await client.ask() for _ in range(6)]
            assert set(results) <= {TOO_BUSY, None}
            assert checks(gateway)["store"] is False
            assert "store.replaced" in gateway.log.read_text()
            await client.leave()
