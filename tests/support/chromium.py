"""A headless Chromium, driven by its DevTools protocol: what a page shows, says on its console, and looks like."""

import asyncio
import base64
import itertools
import os
import shutil
import signal
import subprocess
import tempfile
from contextlib import asynccontextmanager
from pathlib import Path

import aiohttp

from support.patience import PATIENCE

OPTIONS = (
    "--headless=new",
    "--no-sandbox",  # tests run as root in containers
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--no-first-run",
    "--disable-extensions",
    "--disable-background-networking",
    "--disable-component-update",
    "--remote-debugging-port=0",
)


class Tab:
    """One tab. `console` keeps errors and warnings, uncaught exceptions, and what the browser itself complains about."""

    def __init__(self, socket):
        self._socket, self._numbers, self._answers = socket, itertools.count(1), {}
        self._events = asyncio.Queue()
        self.console = []

    async def listen(self):
        """Read what the browser tells."""
        async for message in self._socket:
            told = message.json()
            if "id" in told:
                self._answers.pop(told["id"]).set_result(told)
                continue
            match told["method"], told["params"]:
                case "Runtime.consoleAPICalled", {"type": "error" | "warning" as kind, "args": arguments}:
                    self.console.append((kind, str([each.get("value") for each in arguments])))
                case "Runtime.exceptionThrown", params:
                    self.console.append(("exception", str(params["exceptionDetails"])))
                case "Log.entryAdded", {"entry": entry}:
                    self.console.append((entry["level"], f"{entry['text']} {entry.get('url', '')}"))
                case "Page.loadEventFired", _:
                    self._events.put_nowait("load")

    async def call(self, method, **params):
        """Ask the browser, and give its result."""
        number = next(self._numbers)
        self._answers[number] = asyncio.get_running_loop().create_future()
        await self._socket.send_json({"id": number, "method": method, "params": params})
        answer = await asyncio.wait_for(self._answers[number], PATIENCE)
        assert "error" not in answer, (method, answer)
        return answer["result"]

    async def open(self, url):
        """Load a page, and wait until it is there."""
        for domain in ("Runtime", "Log", "Page"):
            await self.call(f"{domain}.enable")
        await self.call("Page.navigate", url=url)
        await asyncio.wait_for(self._events.get(), PATIENCE)

    async def loaded(self):
        """Wait until the page is loaded once more."""
        await asyncio.wait_for(self._events.get(), PATIENCE)

    async def evaluate(self, expression):
        """Give the value of a JavaScript expression."""
        result = await self.call("Runtime.evaluate", expression=expression, returnByValue=True, awaitPromise=True)
        assert "exceptionDetails" not in result, result
        return result["result"].get("value")

    async def until(self, expression, patience=PATIENCE):
        """Wait until an expression is true."""
        deadline = asyncio.get_running_loop().time() + patience
        while not await self.evaluate(expression):
            assert asyncio.get_running_loop().time() < deadline, (
                expression,
                await self.evaluate("document.body.innerText"),
            )
            await asyncio.sleep(0.1)

    async def size(self, width, height, *, mobile=False):
        """Show the page on a screen of this size."""
        await self.call(
            "Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=mobile
        )

    async def scheme(self, name):
        """Prefer light or dark."""
        await self.call("Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": name}])

    async def photograph(self, path):
        """Save the whole page as PNG."""
        shot = await self.call("Page.captureScreenshot", format="png", captureBeyondViewport=True)
        Path(path).write_bytes(base64.b64decode(shot["data"]))  # noqa: ASYNC240  (a test may wait for its picture)


@asynccontextmanager
async def browser(folder):
    """A browser with one empty tab; its profile lies in `folder`."""
    folder = Path(tempfile.mkdtemp(dir=folder))
    with (folder / "chromium.log").open("wb") as log:
        process = subprocess.Popen(  # noqa: ASYNC220  (started once, and ended by its group)
            [shutil.which("chromium"), *OPTIONS, f"--user-data-dir={folder / 'profile'}", "about:blank"],
            stdout=log,
            stderr=subprocess.STDOUT,
            stdin=subprocess.DEVNULL,
            env={**os.environ, "HOME": str(folder), "XDG_RUNTIME_DIR": str(folder)},
            start_new_session=True,
        )
    try:
        port = await _port(folder, process)
        async with aiohttp.ClientSession() as session:
            async with session.put(f"http://127.0.0.1:{port}/json/new?about:blank") as answer:
                address = (await answer.json())["webSocketDebuggerUrl"]
            async with session.ws_connect(address, max_msg_size=0) as socket:
                tab = Tab(socket)
                listening = asyncio.create_task(tab.listen())
                yield tab
                listening.cancel()
                await asyncio.gather(listening, return_exceptions=True)
    finally:
        os.killpg(process.pid, signal.SIGKILL)  # the group that was started here, and nothing else
        process.wait()


async def _port(folder, process):
    written = folder / "profile" / "DevToolsActivePort"
    deadline = asyncio.get_running_loop().time() + PATIENCE
    while not (written.exists() and "\n" in written.read_text()):
        assert process.poll() is None, (folder / "chromium.log").read_text()
        assert asyncio.get_running_loop().time() < deadline, (folder / "chromium.log").read_text()
        await asyncio.sleep(0.05)
    return int(written.read_text().split()[0])
