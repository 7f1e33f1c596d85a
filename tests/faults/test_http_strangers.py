"""Strangers at the HTTP door do their worst, and others hardly notice: charging goes on, /livez answers, memory is flat."""

import asyncio
import json
import sys
import time
from pathlib import Path

import pytest
from support.diameter_rig import RawPeer, ccr
from support.gateways import ROOT, lanes_of, subscribers
from support.lateness import Lateness, Stretch
from support.sms_gateway import TOKENS, SmsGateway

from gateway.api.web_requests import MAX_BODY
from protocols.diameter.generated import decode
from protocols.diameter.messages import (
    CreditControlAnswer,
    MultipleServicesCreditControl,
    RequestedServiceUnit,
    SubscriptionId,
)

SECONDS = 2.5
ROWS = subscribers(1)
WANTED = MultipleServicesCreditControl(
    requested_service_unit=RequestedServiceUnit(cc_total_octets=1000), rating_group=10
)
GROWTH = 80 << 20
"""Octets that the gateway may grow by meanwhile: the store's page cache (64 MiB) fills while it charges, the rest is for the
strangers, of whom one body would unpack to 800 MiB."""
BODIES = 8 * MAX_BODY * 9 // 8
"""What those with a token may have it hold beside: a body each, in a buffer that grows by an eighth."""


@pytest.fixture(scope="module")
def gateway(tmp_path_factory):
    with SmsGateway(tmp_path_factory.mktemp("strangers")) as running:
        running.enrol(ROWS)
        yield running


def resident(gateway):
    """Octets of memory at this moment, and the most there ever were."""
    text = Path(f"/proc/{gateway.process.pid}/status").read_text()
    lines = dict(line.split(":", 1) for line in text.splitlines())
    return int(lines["VmRSS"].split()[0]) * 1024, int(lines["VmHWM"].split()[0]) * 1024


def forget_most(gateway):
    """Let the most memory there ever was be the most from now on (proc(5), clear_refs)."""
    Path(f"/proc/{gateway.process.pid}/clear_refs").write_text("5")


async def charge(gateway, seconds, first):
    """One CCR-I after the other: how long each took."""
    peer = await RawPeer.open(gateway.diameter_port)
    took, number, until = [], first, time.monotonic() + seconds
    while time.monotonic() < until:
        number += 1
        given = {"subscription_id": (SubscriptionId(1, ROWS[0][1]),), "multiple_services_credit_control": (WANTED,)}
        began = time.monotonic()
        _, frame = await peer.ask(ccr(number, session_id=b"s;%d;%d" % (first, number), **given))
        took.append(time.monotonic() - began)
        assert decode(CreditControlAnswer, frame).result_code in (2001, 4012)
        await asyncio.sleep(0.01)
    await peer.leave()
    return sorted(took)


async def look(gateway, seconds):
    """Ask /livez ten times a second: how long each took."""
    took, until = [], time.monotonic() + seconds
    while time.monotonic() < until:
        began = time.monotonic()
        status, _ = await asyncio.to_thread(gateway.get, "/livez")
        took.append(time.monotonic() - began)
        assert status == 200
        await asyncio.sleep(0.1)
    return sorted(took)


@pytest.mark.parametrize(
    ("kind", "token", "statuses"),
    [
        ("gzip", "", {401}),
        ("gzip", TOKENS["operator"], {415}),
        ("endless", "", {401}),
        ("endless", TOKENS["operator"], {413}),
        ("huge", "", {401}),
        ("huge", TOKENS["operator"], {413}),
        ("dribble", "", {401}),
        ("dribble", TOKENS["operator"], set()),
        ("unfinished", "", set()),
        ("noise", "", {400}),
    ],
)
async def test_eight_strangers_who_do_their_worst_cost_the_others_little(gateway, kind, token, statuses):
    number = time.monotonic_ns() % 1_000_000_000
    quiet = await charge(gateway, 0.5, number)
    forget_most(gateway)
    before, _ = resident(gateway)
    command = [sys.executable, "-m", "support.mad_neighbour", str(gateway.http_port), kind, str(SECONDS), token]
    stranger = await asyncio.create_subprocess_exec(*command, stdout=asyncio.subprocess.PIPE, cwd=ROOT / "tests")
    assert await stranger.stdout.readline() == b"ready\n"
    stretch = Stretch(gateway.process.pid, *lanes_of(gateway.process.pid))
    with Lateness() as late:
        charged, looked = await asyncio.gather(charge(gateway, SECONDS - 1, number + 1), look(gateway, SECONDS - 1))
    slower = stretch.factor
    heard = json.loads((await stranger.communicate())[0])
    _, most = resident(gateway)
    unheard = heard.pop("0", 0)  # of each connection the last, as the time is over
    assert unheard <= 8
    assert {int(status) for status in heard} == statuses
    assert most - before < GROWTH + (BODIES if token else 0)
    # A machine that others use keeps each process waiting, not only this one; aiohttp's defaults come to seconds.
    assert charged[len(charged) * 9 // 10] < max(0.25 * slower + 3 * late.most, 10 * quiet[len(quiet) * 9 // 10])
    assert looked[-1] < slower + 3 * late.most
    assert "Traceback" not in gateway.log.read_text()
