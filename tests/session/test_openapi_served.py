"""The description against a gateway that runs: its routes, its examples, its answers."""

import asyncio
import urllib.request

import jsonschema
import msgspec
import pytest
from support.patience import PATIENCE
from support.sims_context_fixture import TOKENS, sims_context
from support.sms_gateway import SmsGateway

from gateway.api.described_routes import ROUTES
from gateway.api.openapi import codes, document
from gateway.api.problems import ProblemBody
from simulators.host_api import HostApi

pytestmark = pytest.mark.xdist_group("openapi_served")

PAYER = ("447700900001", "234150000000001", "8944100000000000001", "payg-gb", "wwf", "10.00")
BY_NAME = {(route.method, route.path): route for route in ROUTES}
SCHEMAS = document()["components"]["schemas"]


def fits(value, kind):
    """A JSON value is as its answer type is documented, and has nothing that the type does not."""
    schema = {"$ref": f"#/components/schemas/{kind.__name__}", "components": {"schemas": SCHEMAS}}
    jsonschema.validate(value, schema, jsonschema.Draft202012Validator)
    assert msgspec.to_builtins(msgspec.convert(value, kind)) == value


async def test_every_example_is_taken_and_answered_as_documented(tmp_path):
    async with HostApi() as host, sims_context(tmp_path, host.url) as desk:
        [iccid] = await desk.take_in(1)
        order = {**BY_NAME["post", "/v1/orders"].example, "iccid": iccid}
        said = {}
        for path, body in [("/v1/sms", None), ("/v1/sms/batch", None), ("/v1/orders", order)]:
            route = BY_NAME["post", path]
            status, said[path] = await desk.ask(path, body or route.example, key="k")
            assert status == route.status, said
            fits(said[path], route.answer)
        await desk.becomes(said["/v1/orders"]["id"], "done")
        line = f"/v1/subscribers/{order['msisdn']}"
        topup = BY_NAME["post", "/v1/subscribers/{msisdn}/topups"]
        status, told = await desk.ask(f"{line}/topups", topup.example, key="t")
        assert status == 200
        fits(told, topup.answer)
        for path, template in [
            (f"/v1/sms/{said['/v1/sms']['id']}", "/v1/sms/{id}"),
            (f"/v1/orders/{said['/v1/orders']['id']}", "/v1/orders/{id}"),
            (line, "/v1/subscribers/{msisdn}"),
            ("/v1/charity/causes", "/v1/charity/causes"),
        ]:
            status, told = await desk.ask(path, token=TOKENS["viewer"])
            assert status == 200
            fits(told, BY_NAME["get", template].answer)
        for path in ("/livez", "/readyz"):
            status, told = await desk.ask(path)
            assert status == 200
            fits(told, BY_NAME["get", path].answer)


@pytest.fixture(scope="module")
def running(tmp_path_factory):
    with SmsGateway(tmp_path_factory.mktemp("openapi")) as gateway:
        yield gateway


def test_the_description_is_served_without_a_token_and_to_head(running):
    status, told, media = running.ask("/openapi.json", token=None)
    assert (status, media, told) == (200, "application/json", document())
    request = urllib.request.Request(f"http://127.0.0.1:{running.http_port}/openapi.json", method="HEAD")
    with urllib.request.urlopen(request, timeout=PATIENCE) as answer:
        assert (answer.status, answer.read()) == (200, b"")
        assert int(answer.headers["Content-Length"]) > 1000


async def test_routes_that_are_served_and_routes_that_are_described_are_the_same(tmp_path, monkeypatch):
    from aiohttp import web

    from gateway.status_page.routes import StatusPage

    apps = []
    setup = web.AppRunner.setup

    async def noted(runner):
        apps.append(runner.app)
        await setup(runner)

    monkeypatch.setattr(web.AppRunner, "setup", noted)
    async with HostApi() as host, sims_context(tmp_path, host.url):
        await asyncio.sleep(0)
    tables = [
        {(r.method.lower(), r.resource.canonical) for r in app.router.routes() if r.method != "HEAD"} for app in apps
    ]
    tcp = next(table for table in tables if ("get", "/livez") in table)
    page = {(r.method.lower(), r.path) for r in StatusPage(None).routes()}
    assert tcp | page == set(BY_NAME)


@pytest.mark.parametrize(
    ("path", "template", "body", "token"),
    [
        ("/v1/sms", "/v1/sms", {}, "operator"),
        ("/v1/sms", "/v1/sms", {}, "viewer"),
        ("/v1/sms", "/v1/sms", {}, None),
        ("/v1/orders", "/v1/orders", {}, "operator"),
        ("/v1/sms/7", "/v1/sms/{id}", None, "viewer"),
        ("/v1/orders/7", "/v1/orders/{id}", None, "viewer"),
        ("/v1/subscribers/12", "/v1/subscribers/{msisdn}", None, "viewer"),
        ("/v1/subscribers/447700900999", "/v1/subscribers/{msisdn}", None, "viewer"),
        ("/v1/subscribers/447700900999", "/v1/subscribers/{msisdn}", None, "auditor"),
        ("/v1/sms", "/v1/sms", {}, "auditor"),
        ("/v1/ledger/export/csv/0", "/v1/ledger/export/{format}/{after}", None, "viewer"),
        ("/v1/ledger/export/pdf/0", "/v1/ledger/export/{format}/{after}", None, "auditor"),
        ("/v1/ledger/export/csv/x", "/v1/ledger/export/{format}/{after}", None, "auditor"),
        ("/v1/ledger/totals/2026-13", "/v1/ledger/totals/{period}", None, "auditor"),
    ],
)
def test_what_is_refused_is_refused_with_a_documented_code(running, path, template, body, token):
    status, told, media = running.ask(path, body, TOKENS.get(token))
    assert media == "application/problem+json"
    assert told["code"] in codes(BY_NAME["get" if body is None else "post", template])[status]
    fits(told, ProblemBody)


def test_an_auditor_reads_the_books_and_their_proof(running):
    for path, template in (
        ("/v1/ledger/check", "/v1/ledger/check"),
        ("/v1/ledger/seals", "/v1/ledger/seals"),
        ("/v1/ledger/totals/2026-11", "/v1/ledger/totals/{period}"),
        ("/v1/ledger/export/beancount/0", "/v1/ledger/export/{format}/{after}"),
        ("/v1/ledger/export/csv/7?until=9", "/v1/ledger/export/{format}/{after}"),
    ):
        status, told, _ = running.ask(path, token=TOKENS["auditor"])
        assert status == 200, told
        fits(told, BY_NAME["get", template].answer)
