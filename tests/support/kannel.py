"""Kannel's bearerbox and smsbox as their operators run them: an ESME that is not ours, fed by its sendsms interface."""

import asyncio
import shutil
import subprocess
import time
import urllib.error
import urllib.parse
import urllib.request

from support.patience import PATIENCE
from support.ports import free_port

BEARERBOX = shutil.which("bearerbox", path="/usr/sbin:/usr/bin")
SMSBOX = shutil.which("smsbox", path="/usr/sbin:/usr/bin")


class Kannel:
    """Both processes over a folder, bound to the message centre at `smsc`; receipts are reported to `told`."""

    def __init__(self, folder, smsc, told):
        self.folder = folder
        self.admin, self.box, self.http = free_port(), free_port(), free_port()
        self.config = folder / "kannel.conf"
        self.log = folder / "kannel.log"
        self.told = told
        self._processes = []
        self.config.write_text(f"""group = core
admin-port = {self.admin}
admin-interface = 127.0.0.1
admin-password = bar
smsbox-port = {self.box}
smsbox-interface = 127.0.0.1
box-allow-ip = 127.0.0.1
log-file = {self.log}
log-level = 0
dlr-storage = internal

group = smsc
smsc = smpp
smsc-id = tpo
host = 127.0.0.1
port = {smsc}
transceiver-mode = true
smsc-username = kannel
smsc-password = secret
system-type = ""
max-pending-submits = 10
msg-id-type = 0

group = smsbox
bearerbox-host = 127.0.0.1
sendsms-port = {self.http}
sendsms-interface = 127.0.0.1
log-file = {folder}/smsbox.log
log-level = 0

group = sendsms-user
username = tester
password = foobar
max-messages = 10
concatenation = true
""")

    async def start(self):
        """Start both, and wait until sendsms answers."""
        for program in (BEARERBOX, SMSBOX):
            with (self.folder / "output.log").open("ab") as log:
                self._processes.append(
                    subprocess.Popen(  # noqa: ASYNC220  (it returns at once)
                        [program, str(self.config)], stdout=log, stderr=log, cwd=self.folder
                    )
                )
            await self._listening(self.box if program == BEARERBOX else self.http)
        return self

    async def stop(self):
        """End both: the smsbox first."""
        for process in reversed(self._processes):
            process.terminate()
            try:
                await asyncio.to_thread(process.wait, 3)
            except subprocess.TimeoutExpired:
                process.kill()
                await asyncio.to_thread(process.wait)

    async def send(self, to, text, mask=31):
        """Hand a text to sendsms; `mask` says which receipts are wanted."""
        fields = {"username": "tester", "password": "foobar", "from": "70070", "to": to, "text": text}
        fields |= {"charset": "UTF-8", "coding": "0" if text.isascii() else "2"}
        fields |= {"dlr-mask": str(mask), "dlr-url": f"{self.told}?type=%d&to=%p"}
        url = f"http://127.0.0.1:{self.http}/cgi-bin/sendsms?{urllib.parse.urlencode(fields)}"
        return await asyncio.to_thread(self._get, url)

    def _get(self, url):
        try:
            with urllib.request.urlopen(url, timeout=PATIENCE) as answer:
                return answer.status, answer.read().decode()
        except urllib.error.HTTPError as error:
            return error.code, error.read().decode()

    async def _listening(self, port):
        deadline = time.monotonic() + PATIENCE
        while time.monotonic() < deadline:
            try:
                _, writer = await asyncio.open_connection("127.0.0.1", port)
            except OSError:
                await asyncio.sleep(0.05)
                continue
            writer.close()
            return
        raise AssertionError(f"Kannel does not listen:\n{(self.folder / 'output.log').read_text()[-2000:]}")
