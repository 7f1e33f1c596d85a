"""A host that is not there is known without an order that finds out, and `tpo status` says so."""

import asyncio
import json

from support.ports import free_port
from support.scripted_gateway import scripted, write_config
from support.sims_context_fixture import settings_of

from gateway.cli import main
from gateway.context import GatewayContext
from gateway.policies import make_policies
from gateway.sims.host_reach import HostReach


async def test_a_host_that_is_gone_and_one_that_is_back_are_told_and_nothing_is_sent_there(tmp_path):
    port, came = free_port(), []
    hosts = f", hosts: [{{name: host, adapter: tmf640, plans: [payg-gb], url: 'http://127.0.0.1:{port}'}}]"
    context = GatewayContext(settings_of(tmp_path, provisioning=hosts), make_policies)
    told = []
    reach = HostReach(context, lambda name, error: told.append((name, error and str(error))))

    async def served(reader, writer):
        came.append(await reader.read())
        writer.close()

    await reach.look()
    assert [(name, "cannot be reached" in why) for name, why in told] == [("host", True)]
    server = await asyncio.start_server(served, "127.0.0.1", port)
    await reach.look()
    await reach.look()
    assert told[1:] == [("host", None)]
    server.close()
    await server.wait_closed()
    assert set(came) == {b""}
    context.close()


STATUS = {
    "state": "running", "drain": None, "node": "ocs-1", "since": "2026-11-26T10:00:00.5Z", "ready": {"store": True},
    "traces": 0, "peers": [], "events": None,
    "lane": dict.fromkeys(("waiting", "batches", "units", "poisoned", "expired", "failed_batches", "unknown"), 0),
    "hosts": [
        {"name": "hlr", "reachable": False, "trouble": "127.0.0.1:4259 cannot be reached: Connection refused"},
        {"name": "api", "reachable": True, "trouble": ""},
    ],
}  # fmt: skip


def test_status_says_which_host_is_dead_and_why(tmp_path, capsys):
    config = str(write_config(tmp_path))
    with scripted(tmp_path, link__list={"rows": []}) as script:
        script.answers["status"] = STATUS
        assert main(["--config", config, "status"]) == 0
        assert main(["--config", config, "status", "--json"]) == 0
        assert main(["--config", config, "status", "--json", "--watch", "--count", "1"]) == 0
    out = capsys.readouterr().out
    assert "hosts that do not answer  hlr" in out
    assert "127.0.0.1:4259 cannot be reached: Connection refused" in out
    once, look = (json.loads(text) for text in out[out.index("{") :].replace("}\n{", "}\0{").split("\0"))
    assert once["since"] == "2026-11-26T10:00:00.5Z"
    assert look["at"].endswith("Z")
    assert [host["reachable"] for host in once["hosts"]] == [False, True]
