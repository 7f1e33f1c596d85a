"""A server that is lost with its data is restored as of a moment by its own means, and `tpo db restore` does the rest."""

import asyncio
import json
import random
from datetime import UTC, datetime

import pytest
from support import postgres
from support.audit import reckon
from support.charging_load import OPENING, under_load
from support.gateways import Gateway

from gateway.store import lock

MICRO = 1_000_000
pytestmark = pytest.mark.skipif(not postgres.BINARIES, reason="PostgreSQL is not installed (package postgresql)")


def now():
    return datetime.now(UTC).isoformat()


async def test_a_lost_server_is_restored_as_of_a_moment_and_payments_of_later_are_booked_again(tmp_path):
    async def a_while(pgw):
        while pgw.requests < 300:  # noqa: ASYNC110 (of the load)
            await asyncio.sleep(0.01)

    with postgres.archived_server() as server, Gateway(tmp_path / "gw", store=server.url) as gateway:
        server.base_copy()
        pgw = await under_load(gateway, random.Random(5), a_while)
        number, other = pgw.customers[0][0], pgw.customers[1][0]
        gateway.json("subscriber", "topup", number, "5.00", "--reference", "kept")
        before = server.ask("SELECT origin_state_id FROM nodes")
        moment = now()
        gateway.json("subscriber", "topup", other, "7.00", "--reference", "gone")
        given_out = server.ask("SELECT max(id) FROM transfers")
        server.archive_the_rest()
        gateway.kill()
        server.lose()
        server.restore(moment)

        refused = gateway.tpo("db", "restore", tmp_path, ok=(1,)).stderr
        assert "a server's store is restored by the server" in refused
        server.ask("INSERT INTO nodes VALUES (2, 'b', 2::bigint << 40, 1, 0, 0, 0, 2, 0) RETURNING id")
        held = lock.take(server.url, "b")
        assert "gateway b runs on this store" in gateway.tpo("db", "restore", ok=(1,)).stderr
        held.release()
        server.ask("DELETE FROM nodes WHERE id = 2 RETURNING id")
        restored = json.loads(gateway.tpo("db", "restore", "--at", moment, "--json").stdout)
        assert (restored["books"]["findings"], restored["upgraded_from"], restored["kept"]) == ([], None, None)
        assert restored["lost_seconds"] > 0
        (node,) = restored["nodes"]
        assert node["origin_state_id"] == server.ask("SELECT origin_state_id FROM nodes") > before

        gateway.start()
        reckon(gateway, pgw, server.url, OPENING * MICRO, {number: 5 * MICRO})
        assert gateway.json("subscriber", "topup", number, "5.00", "--reference", "kept")["repeated"] is True
        assert gateway.json("subscriber", "topup", other, "7.00", "--reference", "gone")["repeated"] is False
        assert server.ask("SELECT max(id) FROM transfers") > given_out
        assert "stop the gateway first" in gateway.tpo("db", "restore", ok=(1,)).stderr
        gateway.check()
