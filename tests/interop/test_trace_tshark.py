"""`tpo trace` on a running gateway: what it takes down of one line, tshark reads; of another line it takes down nothing."""

import asyncio
import functools
import json
import shutil
import subprocess

import pytest
from support import charging_fixture as charging
from support.diameter_rig import RawPeer
from support.gateways import ROOT, Gateway, subscribers
from support.gy_link import gy_link
from support.patience import until
from support.smpp_rig import ServerRig

from protocols.diameter.codec import encode_message
from protocols.smpp.generated import encode
from protocols.smpp.messages import DeliverSm
from simulators.host_api import HostApi

TSHARK = shutil.which("tshark")
pytestmark = pytest.mark.skipif(TSHARK is None, reason="tshark is not installed")

(MSISDN, IMSI, ICCID, *_), (OTHER, OTHER_IMSI, *_) = subscribers(2)
CARD = (
    "8944100000000002006",
    "001010000000200",
    "fec86ba6eb707ed08905757b1bb44b8f",
    "1006020f0a478bf6b699f15c062e42b3",
)
NEW = "447700900555"
WORDS = "nobody should read this"


def read(path, *, whole=True):
    """What tshark says of each packet: its protocols, and whether anything in it is malformed."""
    fields = ("-e", "frame.protocols", "-e", "_ws.malformed", "-e", "_ws.expert.severity")
    done = subprocess.run(
        [TSHARK, "-r", str(path), "-T", "fields", *fields], capture_output=True, text=True, check=whole
    )
    return [line.split("\t") for line in done.stdout.splitlines()]


@pytest.fixture
async def place(tmp_path):
    """A gateway with a message centre and an activation API beside it."""
    async with ServerRig() as smsc:
        host = HostApi()
        await host.start()
        extra = (
            f"smpp: {{links: [{{name: smsc, host: 127.0.0.1, port: {smsc.port}, system_id: tpo, password: pwcanary}}]}}\n"
            f'messaging: {{short_codes: ["70070"]}}\nkeywords: {ROOT}/config/keywords.yaml\n'
            f'provisioning: {{hosts: [{{name: lab, adapter: tmf640, plans: [payg-gb], url: "{host.url}", poll: 1s}}]}}\n'
        )
        gateway = Gateway(tmp_path / "gw", extra=extra, diameter="  served_realms: [test.example]")
        await asyncio.to_thread(gateway.start)
        try:
            await asyncio.to_thread(gateway.enrol, subscribers(2))
            yield gateway, smsc
        finally:
            await asyncio.to_thread(gateway.stop)
            await host.stop()


async def charge(gateway, imsi, session):
    async with gy_link(gateway.diameter_port) as link:
        for request_type, used in ((1, []), (2, [1000]), (3, [10])):
            service = charging.service(10, used, ask=None if request_type == 3 else 0)
            answer = await link.ask(charging.ccr(request_type, request_type, service, session=session, imsi=imsi))
            assert answer.result_code == 2001


async def test_a_line_is_followed_over_all_three_and_another_line_is_not(place, tmp_path):
    gateway, smsc = place
    tpo = lambda *words: asyncio.to_thread(gateway.tpo, *words)  # noqa: E731
    files = {name: tmp_path / f"{name}.pcap" for name in ("line", "new", "clear")}
    await tpo("trace", "start", "--msisdn", MSISDN, "--pcap", str(files["line"]))
    await tpo("trace", "start", "--msisdn", NEW, "--pcap", str(files["new"]))
    await tpo("trace", "start", "--link", "smsc", "--pcap", str(files["clear"]), "--show-content")
    await charge(gateway, IMSI, "pgw.host.example;trace;1")
    await charge(gateway, OTHER_IMSI, "pgw.host.example;trace;2")
    client = await smsc.client()
    for number in (MSISDN, OTHER):
        await tpo("sms", "send", "--from", "70070", "--to", number, WORDS)
        assert client.send(DeliverSm(source_addr=number, destination_addr="70070", short_message=WORDS.encode()))
    cards = tmp_path / "cards.csv"
    cards.write_text("iccid,imsi,ki,opc\n" + ",".join(CARD) + "\n")
    await tpo("sim", "import", str(cards))
    await tpo("sim", "activate", CARD[0], "--msisdn", NEW, "--plan", "payg-gb", "--wait")
    await until(lambda: len(smsc.results) == 2 and len(smsc.requests) >= 3)
    shown = json.loads((await tpo("trace", "show", "1", "--json")).stdout)
    assert [row["what"] for row in shown][:6] == [
        "CCR INITIAL 1",
        "CCA INITIAL 1",
        "CCR UPDATE 2",
        "CCA UPDATE 2",
        "CCR TERMINATION 3",
        "CCA TERMINATION 3",
    ]
    assert {row["what"] for row in shown[6:]} >= {"submit_sm", "submit_sm_resp", "deliver_sm", "deliver_sm_resp"}
    stopped = json.loads((await tpo("trace", "stop", "--json")).stdout)
    assert {row["missed"] for row in stopped} == {0}
    line, new, clear = (read(files[name]) for name in files)
    assert sum("diameter" in packet[0] for packet in line) == 6
    assert sum("smpp" in packet[0] for packet in line) >= 4
    assert any("http" in packet[0] for packet in new)
    assert any("smpp" in packet[0] for packet in new)  # the welcome
    assert not any(packet[1] for packet in (*line, *new, *clear))
    for name in ("line", "new"):
        octets = files[name].read_bytes()
        for canary in (MSISDN, OTHER, NEW, IMSI, OTHER_IMSI, WORDS, *CARD, "pwcanary"):
            assert canary.encode() not in octets, (name, canary)
    octets = files["clear"].read_bytes()
    assert WORDS.encode() in octets
    assert OTHER.encode() in octets
    log = gateway.log.read_text()
    assert log.count('"event":"trace.started"') == 3
    assert not any(canary in log for canary in (MSISDN, NEW, IMSI, WORDS))


async def test_sigkill_leaves_a_file_that_can_be_read(place, tmp_path):
    gateway, _ = place
    await asyncio.to_thread(
        gateway.tpo, "trace", "start", "--link", "pgw.host.example", "--pcap", str(tmp_path / "x.pcap")
    )
    await charge(gateway, IMSI, "pgw.host.example;trace;3")
    written = functools.partial(read, tmp_path / "x.pcap", whole=False)
    while sum("diameter" in packet[0] for packet in await asyncio.to_thread(written)) < 7:  # noqa: ASYNC110
        await asyncio.sleep(0.2)  # it is written beside the gateway's loop
    gateway.kill()
    assert sum("diameter" in packet[0] for packet in read(tmp_path / "x.pcap")) >= 7
    await asyncio.to_thread(gateway.start)


async def test_the_last_message_that_could_not_be_read_is_kept_and_masked(place):
    gateway, smsc = place
    client = await smsc.client()
    number = MSISDN.encode()
    broken = encode(DeliverSm(source_addr=MSISDN, destination_addr="70070", short_message=WORDS.encode()), 99)
    client._transport.write(broken[:3] + bytes([40]) + broken[4:40])  # the text is cut
    peer = await RawPeer.open(gateway.diameter_port)
    await peer.ask(encode_message(0xC0, 272, 4, 1, 1, b"\0\0\1\x07@\0\0\x40" + number))
    await peer.leave()
    await until(lambda: len(gateway.json("trace", "undecodable")) == 2)
    rows = {row["name"]: row for row in gateway.json("trace", "undecodable")}
    assert set(rows) == {"smsc", "pgw.host.example"}
    assert all(number.hex() not in row["message"] for row in rows.values())
    assert rows["smsc"]["message"].startswith(broken[:3].hex())
    (row,) = gateway.json("trace", "undecodable", "smsc", "--show-content")
    assert number.hex() in row["message"]
    assert MSISDN not in gateway.log.read_text()


def test_what_is_asked_wrongly_is_told(tmp_path):
    with Gateway(tmp_path / "gw") as gateway:
        for words, code, said in (
            (("--link", "nobody"), 1, "there is no link, peer or host nobody; there are: pgw.host.example"),
            (("--msisdn", "2025550123"), 1, "country code"),
            ((), 64, "one of --msisdn, --imsi, --link"),
            (("--msisdn", MSISDN, "--link", "x"), 64, "one of"),
            (("--msisdn", MSISDN, "--for", "soon"), 64, "duration"),
            (("--msisdn", MSISDN, "--for", "48h"), 1, "86400"),
            (("--msisdn", MSISDN, "--pcap", "/nowhere/x.pcap"), 1, "cannot be written"),
        ):
            done = gateway.tpo("trace", "start", *words, ok=(code,))
            assert said in done.stderr, done.stderr
        assert gateway.json("trace", "list") == []
        assert "there is no trace" in gateway.tpo("trace", "show", ok=(1,)).stderr
        gateway.stop()
        assert gateway.tpo("trace", "list", ok=(69,)).stderr
