"""No planted number, key or password comes out of the logs, whichever way it went in."""

import json
import subprocess
import sys
from pathlib import Path

from gateway.logs.masking import mask_fields

ROOT = Path(__file__).parents[4]
CANARIES = ("447700900123", "234150999912345", "8944110068000000001", "465B5CE8B199B49FAA5F0A2EE238A6BC", "hunter2")

SCRIPT = """
import asyncio, logging, sys, threading, warnings
from gateway.logs import configure, get_logger
from gateway.privacy.masks import Secret

MSISDN, IMSI, ICCID, KEY, PASSWORD = {canaries!r}
configure("debug", colour={colour})
log = get_logger(peer="pgw.host.example")

class Odd:
    def __str__(self):
        return "odd " + IMSI

log.info("diameter.peer.up", msisdn=MSISDN, imsi=int(IMSI), plus="+" + MSISDN, sentence=f"for {{IMSI}} now")
log.info("diameter.peer.up", nested={{"a": [{{MSISDN: (IMSI, ICCID)}}], "ki": KEY}})
log.info("diameter.peer.up", key=KEY, hexdump=KEY, b=MSISDN.encode())
log.info("diameter.peer.up", odd=Odd(), secret=Secret(PASSWORD), password=PASSWORD, kinds={{MSISDN}})
log.info(f"a careless event {{MSISDN}}")
loop = [MSISDN]; loop.append(loop); log.info("diameter.peer.up", loop=loop)
try:
    raise ValueError(f"no subscriber {{IMSI}}")
except ValueError as error:
    try:
        raise KeyError(MSISDN) from error
    except KeyError:
        log.exception("daemon.crashed")
        logging.getLogger("aiohttp.server").exception("request for %s", MSISDN)
logging.getLogger("asyncio").warning("%(n)s", {{"n": MSISDN}})
warnings.warn("about " + MSISDN)
thread = threading.Thread(target=lambda: [][int(MSISDN)]); thread.start(); thread.join()

async def lost():
    asyncio.get_running_loop().call_exception_handler({{"message": "task of " + MSISDN, "exception": ValueError(IMSI)}})
asyncio.run(lost())
raise RuntimeError("uncaught " + MSISDN)
"""


def run_script(*, colour):
    script = SCRIPT.format(canaries=CANARIES, colour=colour)
    # From standard input, so that no traceback can quote a source line of ours.
    done = subprocess.run(
        [sys.executable, "-"], input=script, capture_output=True, text=True, cwd=ROOT, check=False, timeout=60
    )
    return done.stdout, done.stderr


def test_json_lines_never_show_a_canary():
    out, err = run_script(colour=False)
    assert err == ""
    assert not [canary for canary in CANARIES if canary in out]
    lines = [json.loads(line) for line in out.splitlines()]
    assert len(lines) == 14
    assert {"timestamp", "level", "event"} <= set(lines[0])
    assert list(lines[0])[:3] == ["timestamp", "level", "event"]
    assert lines[0]["timestamp"].endswith("Z")
    assert lines[0]["peer"] == "pgw.host.example"
    assert lines[0]["msisdn"] == "44********23"
    assert lines[0]["imsi"] == "23********45"
    assert lines[-1]["event"] == "daemon.crashed"
    assert lines[-1]["level"] == "critical"
    assert "RuntimeError: uncaught 44********23" in lines[-1]["exception"]
    library = [line for line in lines if line["event"] == "log.library"]
    assert {line["logger"] for line in library} == {"aiohttp.server", "asyncio", "py.warnings"}


def test_the_colour_console_never_shows_a_canary():
    out, err = run_script(colour=True)
    assert err == ""
    assert not [canary for canary in CANARIES if canary in out]
    assert "\x1b[" in out
    assert "44********23" in out


def test_quantities_stay_as_they_are():
    fields = {"octets": 10_000_000, "micro": 7_500_000, "rate": 0.5, "ok": True, "nothing": None, "peer": "pgw.a"}
    assert mask_fields(None, "info", fields) == fields


def test_a_value_that_cannot_be_shown_does_not_break_the_line():
    class Broken:
        def __str__(self):
            raise RuntimeError

    assert mask_fields(None, "info", {"x": Broken()}) == {"x": "<Broken: RuntimeError>"}


def test_debug_lines_are_dropped_above_their_level():
    script = "from gateway.logs import configure, get_logger\nconfigure('warning')\nlog = get_logger()\n"
    script += "log.info('daemon.ready')\nlog.error('charging.answer.mismatch', peer='x')\n"
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, cwd=ROOT, check=True, timeout=60
    )
    [line] = done.stdout.splitlines()
    assert json.loads(line)["event"] == "charging.answer.mismatch"
