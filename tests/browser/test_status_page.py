"""The status page in a real browser: it loads without a complaint, follows what happens, and can be read by everybody."""

import asyncio

import pytest
from aiohttp import web
from support.chromium import browser
from support.diameter_rig import RawPeer
from support.page_views import full
from support.ports import free_port
from support.sms_gateway import Centre, SmsGateway

from gateway.status_page.rendering import document
from gateway.status_page.routes import HEADERS

CONTRAST = """
(() => {
  const numbers = (colour) => colour.match(/[\\d.]+/g).map(Number);
  const channel = (v) => (v /= 255) <= 0.03928 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4;
  const light = (colour) => {
    const [r, g, b] = numbers(colour).map(channel);
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const ground = (element) => {
    for (let at = element; at; at = at.parentElement) {
      const colour = getComputedStyle(at).backgroundColor;
      const alpha = numbers(colour)[3];
      if (alpha === undefined || alpha === 1) return colour;
    }
    return "rgb(255, 255, 255)";
  };
  const found = [];
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  for (let node; (node = walker.nextNode()); ) {
    const element = node.parentElement;
    if (!node.textContent.trim() || !element.checkVisibility() || element.closest("script,.skip,svg")) continue;
    const [a, b] = [light(getComputedStyle(element).color), light(ground(element))];
    const ratio = (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
    if (ratio < 4.5) found.push(`${ratio.toFixed(2)} ${node.textContent.trim().slice(0, 40)}`);
  }
  return found;
})()
"""
ACCESSIBLE = """
({
  landmarks: ["header", "main", "footer"].every((name) => document.querySelectorAll(name).length === 1),
  heads: document.querySelectorAll("h1").length,
  sections: [...document.querySelectorAll("section")].every(
    (section) => document.getElementById(section.getAttribute("aria-labelledby"))?.textContent
  ),
  headers: [...document.querySelectorAll("table")].every(
    (table) => table.querySelectorAll("thead th[scope=col]").length && table.querySelectorAll("tbody th[scope=row]").length
  ),
  plots: [...document.querySelectorAll("svg")].every((plot) => plot.getAttribute("aria-label")),
  language: document.documentElement.lang,
})
"""
OVERFLOW = """
[...document.querySelectorAll("body *")]
  .filter((element) => element.checkVisibility() && !element.closest("thead,.skip"))
  .filter((element) => element.getBoundingClientRect().right > document.documentElement.clientWidth + 0.5)
  .map((element) => `${element.tagName} ${element.textContent.slice(0, 40)}`)
"""


@pytest.fixture
async def page():
    """An address with a page that has something in each part, sent as the gateway sends it."""

    async def answer(_request):
        return web.Response(text=document(full()), content_type="text/html", headers=HEADERS)

    app = web.Application()
    app.router.add_get("/", answer)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    yield f"http://127.0.0.1:{runner.addresses[0][1]}/"
    await runner.cleanup()


def row(link):
    """An expression for the text of a link's row."""
    return f"[...document.querySelectorAll('tbody tr')].find((row) => row.innerText.startsWith('{link}'))?.innerText"


async def test_the_page_follows_a_link_and_a_peer_up_and_down_without_being_loaded_again(tmp_path):
    port = free_port()
    async with SmsGateway(tmp_path / "gw", port) as desk, browser(tmp_path) as tab:
        address = f"http://127.0.0.1:{desk.http_port}/"
        async with Centre(port=port) as centre:
            await centre.bound()
            peer = await RawPeer.open(desk.diameter_port)
            await tab.size(1280, 900)
            await tab.open(address)
            await tab.evaluate("window.mark = 'the same document'")
            assert "up" in await tab.evaluate(row("smsc-1"))
            assert "up" in await tab.evaluate(row("pgw.host.example"))
            assert "Everything runs." in await tab.evaluate("document.getElementById('verdict').innerText")
            await tab.photograph(tmp_path / "up.png")
            peer.writer.close()
        await tab.until(f"{row('smsc-1')}.includes('down') && {row('pgw.host.example')}.includes('down')")
        assert "link smsc-1 is down" in await tab.evaluate("document.getElementById('verdict').innerText")
        assert "diameter.peer.down" in await tab.evaluate("document.getElementById('facts').innerText")
        assert await tab.evaluate("window.mark") == "the same document"
        assert tab.console == []
        await tab.photograph(tmp_path / "down.png")


async def test_a_gateway_that_is_gone_is_said_to_be_gone_and_back_when_it_is(tmp_path):
    async with SmsGateway(tmp_path / "gw") as desk, browser(tmp_path) as tab:
        await tab.open(f"http://127.0.0.1:{desk.http_port}/")
        assert await tab.evaluate("document.getElementById('stale').checkVisibility()") is False
        desk.kill()
        await tab.until("document.getElementById('stale').checkVisibility()")
        await asyncio.to_thread(desk.start)
        await tab.until("!document.getElementById('stale').checkVisibility()")
        assert "pgw.host.example" in await tab.evaluate("document.getElementById('facts').innerText")


async def test_pausing_stops_the_refresh_and_going_on_refreshes_at_once(tmp_path, page):
    async with browser(tmp_path) as tab:
        await tab.open(page)
        await tab.evaluate(
            "window.asked = 0; const real = fetch; window.fetch = (...a) => (window.asked++, real(...a)); 0"
        )
        await tab.evaluate("document.getElementById('pause').click()")
        assert await tab.evaluate("[document.getElementById('pause').textContent, window.asked]") == ["Go on", 0]
        await tab.evaluate("document.dispatchEvent(new Event('visibilitychange'))")
        assert await tab.evaluate("window.asked") == 0
        await tab.evaluate("document.getElementById('pause').click()")
        assert await tab.evaluate("[document.getElementById('pause').textContent, window.asked]") == ["Pause", 1]


async def test_without_scripts_the_page_loads_itself_again(tmp_path, page):
    async with browser(tmp_path) as tab:
        await tab.call("Emulation.setScriptExecutionDisabled", value=True)
        await tab.open(page)
        await tab.loaded()
        assert tab.console == []


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [360, 768, 1280])
async def test_everybody_can_read_it_on_any_screen(tmp_path, page, scheme, width):
    async with browser(tmp_path) as tab:
        await tab.size(width, 800, mobile=width == 360)
        await tab.scheme(scheme)
        await tab.open(page)
        await tab.photograph(tmp_path / f"{scheme}-{width}.png")
        assert await tab.evaluate("document.documentElement.scrollWidth") <= width
        assert await tab.evaluate(OVERFLOW) == []
        assert await tab.evaluate(CONTRAST) == []
        assert await tab.evaluate(ACCESSIBLE) == {
            "landmarks": True,
            "heads": 1,
            "sections": True,
            "headers": True,
            "plots": True,
            "language": "en",
        }
        assert await tab.evaluate("getComputedStyle(document.body).backgroundColor") == (
            "rgb(246, 247, 244)" if scheme == "light" else "rgb(18, 22, 20)"
        )
        assert tab.console == []
