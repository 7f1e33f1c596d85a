"""Texts over several links: whose answers go where, which link takes which text, and what a link hands on to the next."""

import asyncio
import urllib.request
from contextlib import asynccontextmanager

from support.patience import PATIENCE
from support.sms_gateway import CODE, Centre, SmsGateway, text

from protocols.smpp.errors import CommandStatus
from protocols.smpp.messages import DeliverSm

CUSTOMER = ("447700900001", "234150000000001", "8944100000000000001", "payg-gb", "wwf", "10.00")
ROUTES = """
  routes:
    - {links: [smsc-1, smsc-2], prefixes: ["44"]}
    - {links: [smsc-2], countries: [US]}
    - {links: [smsc-2], prefixes: ["447"]}
"""


@asynccontextmanager
async def two_links(folder, routes=""):
    """A gateway that is bound to a centre in the UK and to one in the US."""
    async with Centre() as uk, Centre() as us:
        gateway = SmsGateway(folder, uk.port, us.port)
        write_routes(gateway, routes)
        async with gateway:
            await uk.bound()
            await us.bound()
            yield gateway, uk, us


def write_routes(gateway, routes):
    """Put these routes into the settings, instead of those that stand there."""
    before, separator, after = gateway.config.read_text().partition("\nmessaging:")
    gateway.config.write_text(before.partition("\n  routes:")[0] + routes.rstrip() + separator + after)


def page_of(gateway):
    """The status page."""
    with urllib.request.urlopen(f"http://127.0.0.1:{gateway.http_port}/", timeout=PATIENCE) as answer:
        return answer.read().decode()


async def test_the_answer_of_a_keyword_service_goes_by_the_link_that_its_text_came_by(tmp_path):
    async with two_links(tmp_path) as (gateway, uk, us):
        await asyncio.to_thread(gateway.enrol, [CUSTOMER])
        for centre, count in ((uk, 3), (us, 2)):
            for number in range(count):
                words = f"BALANCE{' ' * number}".encode()
                centre.deliver(DeliverSm(source_addr=CUSTOMER[0], destination_addr=CODE, short_message=words))
                await centre.has(number + 1)
        assert (len(uk.submits), len(us.submits)) == (3, 2)


async def test_an_answer_waits_for_the_smsc_of_its_question_where_no_route_says_otherwise(tmp_path):
    async with two_links(tmp_path) as (gateway, uk, us):
        await asyncio.to_thread(gateway.enrol, [CUSTOMER])
        await gateway.run("link", "suspend", "smsc-1")
        uk.deliver(DeliverSm(source_addr=CUSTOMER[0], destination_addr=CODE, short_message=b"BALANCE"))
        await uk.wait(lambda: uk.results)
        (text_id,) = await gateway.send(text("to anybody"))
        await gateway.becomes(text_id, "delivered")
        await gateway.run("link", "resume", "smsc-1")
        await uk.has(1)
        assert us.words() == ["to anybody"]


async def test_each_text_takes_the_link_of_its_route_and_another_while_that_is_down_or_wants_it_later(tmp_path):
    async with two_links(tmp_path, ROUTES) as (gateway, uk, us):
        ids = await gateway.send(text("home"), text("abroad", to="12025550129"))
        for text_id in ids:
            await gateway.becomes(text_id, "delivered")
        assert (uk.words(), us.words()) == (["home"], ["abroad"])
        uk.on_submit = uk.refuse(CommandStatus.ESME_RSYSERR)
        (text_id,) = await gateway.send(text("busy"))
        shown = await gateway.becomes(text_id, "delivered")
        assert (shown["link"], shown["maybe_double"]) == ("smsc-2", False)
        await gateway.run("link", "down", "smsc-1")
        (text_id,) = await gateway.send(text("down"))
        await gateway.becomes(text_id, "delivered")
        assert (uk.words(), us.words()) == (["home", "busy"], ["abroad", "busy", "down"])


async def test_a_number_that_one_smsc_has_no_way_to_goes_by_the_next_route_and_fails_after_the_last(tmp_path):
    async with two_links(tmp_path, ROUTES) as (gateway, uk, us):
        uk.on_submit = uk.refuse(CommandStatus.ESME_RINVDSTADR)
        us.on_submit = us.refuse(CommandStatus.ESME_RINVDSTADR)
        (nowhere,) = await gateway.send(text("nowhere"))
        shown = await gateway.becomes(nowhere, "failed")
        assert (shown["error"], uk.words(), us.words()) == ("ESME_RINVDSTADR", ["nowhere"], ["nowhere"])
        us.on_submit = us.accept
        (found,) = await gateway.send(text("found"))
        await gateway.becomes(found, "delivered")
        assert us.words() == ["nowhere", "found"]


async def test_a_text_without_a_route_says_so_and_goes_once_the_routes_have_one(tmp_path):
    async with two_links(tmp_path, ROUTES) as (gateway, uk, us):
        (stuck,) = await gateway.send(text("stuck", to="33612345678"))
        (other,) = await gateway.send(text("other"))
        await gateway.becomes(other, "delivered")
        shown = await gateway.show(stuck)
        assert (shown["state"], shown["error"]) == ("queued", "no route")
        page = await asyncio.to_thread(page_of, gateway)
        assert "no route takes them" in page
        assert "texts-without-route" in page
        write_routes(gateway, ROUTES + "    - {links: [smsc-2]}\n")
        await gateway.run("reload")
        await gateway.becomes(stuck, "delivered")
        assert (uk.words(), us.words()) == (["other"], ["stuck"])


async def test_what_waits_for_one_link_holds_up_nobody_else(tmp_path):
    async with two_links(tmp_path, ROUTES.replace("[smsc-1, smsc-2]", "[smsc-1]")) as (gateway, uk, us):
        await gateway.run("link", "down", "smsc-1")
        assert "no link takes them" not in await asyncio.to_thread(page_of, gateway)
        await gateway.send(*(text(f"home {number}") for number in range(60)))
        abroad = await gateway.send(*(text(f"abroad {number}", to="12025550129") for number in range(3)))
        for text_id in abroad:
            await gateway.becomes(text_id, "delivered")
        assert uk.words() == []
        assert "no link takes them: smsc-1 is taken down" in await asyncio.to_thread(page_of, gateway)
        await gateway.run("link", "up", "smsc-1")
        await uk.has(60)
        assert uk.words() == [f"home {number}" for number in range(60)]
        assert len(us.submits) == 3
