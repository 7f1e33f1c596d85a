"""A gateway's house with its conductor and both HTTP faces, in this process, beside a simulated host network."""

import asyncio
import json
import time
from contextlib import asynccontextmanager

import aiohttp
import msgspec
from yarl import URL

from gateway.api.actions.orders import OrderActions
from gateway.api.actions.spending import SpendingActions
from gateway.api.actions.texts import SmsActions
from gateway.api.routes.audit import AuditRoutes
from gateway.api.routes.charity import CharityRoutes
from gateway.api.routes.ledger import LedgerRoutes
from gateway.api.routes.subscribers import LISTENER, SubscriberRoutes
from gateway.api.server import Server
from gateway.background import Background
from gateway.context import GatewayContext
from gateway.metrics.registry import Metrics
from gateway.policies import make_policies
from gateway.runtime.component import Services
from gateway.runtime.components.orders import OrdersComponent
from gateway.runtime.components.texts import TextsComponent
from gateway.settings import load
from gateway.sims.policy import SimsPolicy
from support import new_stores
from support.gateways import ROOT
from support.patience import PATIENCE
from support.ports import free_port

TOKENS = {
    "viewer": "0123456789abcdef-viewer",
    "operator": "0123456789abcdef-operator",
    "admin": "0123456789abcdef-admin",
    "auditor": "0123456789abcdef-auditor",
}
AUDIT_TOKEN = "0123456789abcdef-audit"
"""Of a viewer who may see causes."""
KI, OPC = "00112233445566778899aabbccddee{:02x}", "ffeeddccbbaa998877665544332211{:02x}"


def card(n, keys=True):
    """A row of `sim import`; its ICCID has a right check digit."""
    digits = f"894410{n:012d}"
    doubled = (int(d) * (2 - i % 2) for i, d in enumerate(reversed(digits)))
    check = -sum(d // 10 + d % 10 for d in doubled) % 10
    row = {"iccid": f"{digits}{check}", "imsi": f"23415{n:010d}"}
    return row | ({"ki": KI.format(n), "opc": OPC.format(n)} if keys else {})


def settings_of(folder, port=0, provisioning=""):
    """Write and load the settings of a gateway that has these hosts."""
    tokens = ", ".join(f'{{name: {name}, role: {name}, token: "{word}"}}' for name, word in TOKENS.items())
    tokens += f', {{name: audit, role: viewer, rights: [causes], token: "{AUDIT_TOKEN}"}}'
    path = folder / "gateway.yaml"
    path.write_text(
        f"""operator: {{name: Test operator}}
store: {{url: "sqlite:///tpo.db"}}
api: {{listen: "127.0.0.1:{port}", socket: tpo.sock, tokens: [{tokens}]}}
provisioning: {{quarantine: 1h{provisioning}}}
plans: {ROOT}/config/plans.yaml
causes: {ROOT}/config/causes.yaml
"""
    )
    new_stores.place(folder / "tpo.db")
    return load(path, {})


def serve_plans(context, **hosts):
    """Say which host serves which plan, where the settings have no host."""
    policy = msgspec.structs.replace(context.policy(SimsPolicy), hosts=hosts)
    context.lane.policies = {**context.lane.policies, SimsPolicy: policy}


class SimHouse:
    """What a test asks: actions as commands do, and HTTP as customers' systems do."""

    def __init__(self, context, executor, port, clients):
        self.context, self.executor = context, executor
        self._port, (self._http, self._unix) = port, clients

    async def act(self, action, **params):
        """Ask for an action by the socket: (status, what came)."""
        async with self._unix.post(f"http://tpo/v1/actions/{action}", json=params) as answer:
            return answer.status, await answer.json(content_type=None)

    async def ask(self, path, body=None, *, key=None, token=TOKENS["operator"]):
        """GET, or POST a body, over TCP: (status, what came)."""
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        headers |= {"Idempotency-Key": key} if key else {}
        data = body if body is None or isinstance(body, bytes) else json.dumps(body).encode()
        method = "GET" if body is None else "POST"
        url = URL(f"http://127.0.0.1:{self._port}{path}", encoded=True)
        async with self._http.request(method, url, data=data, headers=headers) as answer:
            text = await answer.text()
            return answer.status, json.loads(text) if text else None

    async def take_in(self, *numbers, **options):
        """Import cards; gives their ICCIDs."""
        rows = [card(n, **options) for n in numbers]
        status, told = await self.act("sim.import", rows=rows, accept_checksum=True)
        assert status == 200, told
        assert {result["outcome"] for result in told["results"]} == {"created"}, told
        return [row["iccid"] for row in rows]

    async def becomes(self, order_id, *states):
        """Wait until an order is in one of these states; gives what is told of it then."""
        deadline = time.monotonic() + PATIENCE
        while (told := (await self.act("order.show", id=order_id))[1])["state"] not in states:
            assert time.monotonic() < deadline, told
            await asyncio.sleep(0.02)
        return told


@asynccontextmanager
async def sims_context(folder, host_url, *, options="", callback=False):
    """Open it all; plans payg-gb and bundle-gb are the host's at `host_url`, named lab."""
    port, loop = free_port(), asyncio.get_running_loop()
    ours = f", callback: http://127.0.0.1:{port}" if callback else ""
    row = f"{{name: lab, adapter: tmf640, plans: [payg-gb, bundle-gb], url: {host_url}, poll: 1s{ours}{options}}}"
    settings = settings_of(folder, port, f", hosts: [{row}]")

    def deliver(jobs):
        loop.call_soon_threadsafe(lambda: [job.done(job.answer, job.error) for job in jobs])

    context = await asyncio.to_thread(GatewayContext, settings, make_policies, deliver=deliver)
    alarms = []
    metrics = Metrics()
    services = Services(context, metrics, Background(), lambda *told: alarms.append(told), lambda _: None)
    smsc_client = TextsComponent(services).client
    executor = OrdersComponent(services, smsc_client, None).executor
    sims, spending = OrderActions(context, executor), SpendingActions(context, services.background, None)
    server = Server(
        context,
        metrics,
        SmsActions(context, smsc_client),
        actions=sims.actions(),
        routes=[
            *SubscriberRoutes(context, sims, spending, executor).routes(),
            *LedgerRoutes(context).routes(),
            *AuditRoutes(context).routes(),
            *CharityRoutes(context).routes(),
        ],
        open_paths=(LISTENER,),
        live=dict,
        ready=dict,
        alarm=lambda *told: alarms.append(told),
    )
    await smsc_client.start()
    executor.start()
    await server.start()
    unix = aiohttp.UnixConnector(str(settings.api.socket))
    try:
        async with aiohttp.ClientSession() as http, aiohttp.ClientSession(connector=unix) as socket:
            place = SimHouse(context, executor, port, (http, socket))
            place.alarms = alarms
            yield place
    finally:
        await executor.stop()
        await server.stop()
        await smsc_client.stop(1.0)
        await asyncio.to_thread(context.close)
