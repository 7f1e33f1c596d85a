"""Numbers and secrets that must not be seen: every kind of error is made to happen, then everything told is searched."""

import http.client
import json

from support.diameter_rig import OCS, PGW, RawPeer, ccr, cer
from support.gateways import Gateway, subscribers
from support.patience import PATIENCE, until
from support.ports import free_port

from gateway.cli.client import _UnixConnection
from protocols.diameter.codec import encode_avp
from protocols.diameter.messages import MultipleServicesCreditControl, RequestedServiceUnit, SubscriptionId
from protocols.diameter.messages import UsedServiceUnit as Used

MSISDN, IMSI, ICCID = "447700987654", "234159876543210", "8944109876543210987"
STRANGER, STRANGERS_IMSI = "447700976543", "234158765432109"
TOKEN, KEY, PASSWORD = "canary-token-5f1d", "canary-privacy-key-77aa", "canary-password-e2c9"
CANARIES = (MSISDN, IMSI, ICCID, STRANGER, STRANGERS_IMSI, TOKEN, KEY, PASSWORD)
OTHER = subscribers(1)[0]
TOO_MANY = 1 << 50
"""More texts than any network carries in one report."""


def gateway_with_secrets(folder):
    gateway = Gateway(
        folder,
        extra=f"""events: {{mqtt: {{url: "mqtt://127.0.0.1:{free_port()}", username: u, password: {PASSWORD}}}}}
privacy: {{key: {KEY}}}""",
    )
    text = gateway.config.read_text()
    tokens = f"socket: var/tpo.sock, tokens: [{{name: billing, role: viewer, token: {TOKEN}}}]"
    gateway.config.write_text(text.replace("socket: var/tpo.sock", tokens))
    return gateway


class Wanted:
    """Asks the gateway wrongly in all ways, and keeps what it said."""

    def __init__(self, gateway):
        self.gateway, self.said = gateway, []

    def command(self, *words, ok):
        done = self.gateway.tpo(*words, ok=ok)
        self.said.append(done.stdout + done.stderr)

    def action(self, path, body, status, **headers):
        connection = _UnixConnection(self.gateway.folder / "var" / "tpo.sock", PATIENCE)
        connection.request("POST", path, body, headers)
        self._answer(connection, status)

    def page(self, method, path, status, **headers):
        connection = http.client.HTTPConnection("127.0.0.1", self.gateway.http_port, timeout=PATIENCE)
        connection.request(method, path, headers=headers)
        self._answer(connection, status)

    def _answer(self, connection, status):
        answer = connection.getresponse()
        text = answer.read().decode()
        connection.close()
        assert answer.status == status, (answer.status, text)
        self.said.append(text + str(answer.headers))


def ask_wrongly(wanted):
    """Commands, the socket and the HTTP face, each with canaries where they do not belong."""
    gateway = wanted.gateway
    rows = [
        (MSISDN, IMSI, ICCID, "payg-gb", "wateraid", "1.00"),
        (STRANGER, IMSI, "8944100000000000001", "payg-gb", "wateraid", "1.00"),
        (IMSI, STRANGERS_IMSI, ICCID, "payg-gb", "wateraid", "1.00"),
        (STRANGER, STRANGERS_IMSI + "99", "8944100000000000002", "payg-gb", "wateraid", "1.00"),
        (STRANGER, STRANGERS_IMSI, f"44{ICCID}", "payg-gb", "wateraid", "1.00"),
        (STRANGER, STRANGERS_IMSI, "8944100000000000003", MSISDN, "wateraid", "1.00"),
        (STRANGER, STRANGERS_IMSI, "8944100000000000003", "payg-gb", IMSI, "1.00"),
        (STRANGER, STRANGERS_IMSI, "8944100000000000003", "payg-gb", "wateraid", MSISDN + "x"),
        (f"{MSISDN}x", STRANGERS_IMSI, "8944100000000000003", "payg-gb", "wateraid", "1"),
    ]
    file = gateway.folder / "bad.csv"
    file.write_text("msisdn,imsi,iccid,plan,cause,balance\n" + "".join(",".join(row) + "\n" for row in rows))
    wanted.command("subscriber", "import", str(file), "--accept-checksum", "--json", ok=(75,))
    wanted.command("subscriber", "import", str(file), "--accept-checksum", ok=(75,))
    wanted.command("subscriber", "topup", STRANGER, "1", "--reference", "r", ok=(1,))
    wanted.command("subscriber", "topup", IMSI, "1", "--reference", "r", ok=(1,))
    wanted.command("subscriber", "topup", MSISDN, IMSI + "x", "--reference", "r", ok=(1,))
    wanted.command("subscriber", "show", STRANGER, ok=(1,))
    wanted.command("subscriber", "cause", MSISDN, STRANGER, ok=(1,))
    wanted.command("subscriber", "cause", MSISDN, f"wateraid={STRANGER}", ok=(1,))
    wanted.action(f"/v1/actions/{MSISDN}", "{}", 404)
    wanted.action(f"/v1/{MSISDN}", "{}", 404)
    wanted.action("/v1/actions/subscriber.show", f'{{"number": {MSISDN}', 400)
    wanted.action("/v1/actions/subscriber.show", f'{{"number": {MSISDN}}}', 400)
    wanted.action("/v1/actions/subscriber.show", json.dumps({"number": STRANGER}), 404)
    wanted.action("/v1/actions/usage.export", json.dumps({"after": f"x{MSISDN}"}), 400)
    wanted.action("/v1/actions/ledger.journal", json.dumps({"limit": [IMSI]}), 400)
    wanted.action("/v1/actions/events.list", json.dumps({"after": f"{IMSI}!"}), 400, Authorization=f"Bearer {TOKEN}")
    wanted.page("GET", f"/{MSISDN}", 404, Authorization=f"Bearer {TOKEN}")
    wanted.page("DELETE", f"/metrics?msisdn={MSISDN}", 405)
    wanted.page("GET", f"/v1/subscribers/{MSISDN}", 401)


def service(used=(), ask=True, group=10):
    wanted = RequestedServiceUnit() if ask else None
    return MultipleServicesCreditControl(requested_service_unit=wanted, used_service_unit=used, rating_group=group)


def who(imsi, msisdn=None):
    return tuple(SubscriptionId(kind, value) for kind, value in ((1, imsi), (0, msisdn)) if value)


def wrong_requests():
    """Requests that are refused, each in its own way, and some that only raise an alarm."""
    mscc = (service(),)
    mine = {"subscription_id": who(IMSI, MSISDN)}
    subscription = encode_avp(443, encode_avp(450, (1).to_bytes(4, "big")) + encode_avp(444, IMSI.encode()))
    yield {
        "session_id": b"s;1",
        "subscription_id": who(STRANGERS_IMSI, STRANGER),
        "multiple_services_credit_control": mscc,
    }
    yield {"session_id": b"s;2", "service_context_id": f"{IMSI}@3gpp.org", **mine}
    yield {"session_id": b"s;3", **mine, "extra": encode_avp(443, encode_avp(450, IMSI.encode()))}
    yield {"session_id": b"s;4", **mine, "extra": subscription[:-4] + b"\0\0\0\xff"}
    yield {"session_id": b"s;5", **mine, "extra": encode_avp(60_001, MSISDN.encode())}
    yield {"session_id": b"s;6", **mine, "destination_host": f"{IMSI}.example"}
    yield {"session_id": b"s;7", **mine, "destination_realm": f"{MSISDN}.example"}
    yield {"session_id": b"s;8", **mine, "origin_host": f"{MSISDN}.example"}
    yield {"session_id": b"s;9", **mine, "cc_request_type": 9}
    yield {"session_id": b"s;10", **mine, "application_id": 7}
    yield {"session_id": b"s;11", **mine, "command_code": 999}
    yield {"session_id": b"s;12", **mine, "flags": 0xCF}
    yield {"session_id": b"s;13", "subscription_id": who(IMSI, OTHER[0]), "multiple_services_credit_control": mscc}
    yield {
        "session_id": b"s;13",
        "cc_request_type": 2,
        "cc_request_number": 1,
        **mine,
        "multiple_services_credit_control": (service((Used(cc_total_octets=5),)),),
    }
    yield {
        "session_id": b"s;13",
        "cc_request_type": 2,
        "cc_request_number": 1,
        **mine,
        "multiple_services_credit_control": (service((Used(cc_total_octets=6),)),),
    }
    yield {
        "session_id": b"s;13",
        "cc_request_type": 2,
        "cc_request_number": 2,
        **mine,
        "multiple_services_credit_control": (service((Used(cc_total_octets=10**12),)),),
    }
    yield {
        "session_id": b"s;13 overdraws",
        "cc_request_type": 2,
        **mine,
        "multiple_services_credit_control": (service((Used(cc_total_octets=50 * 10**9),)),),
    }
    yield {
        "session_id": b"s;14",
        "cc_request_type": 2,
        **mine,
        "multiple_services_credit_control": (service((Used(cc_total_octets=1 << 60),)),),
    }
    yield {"session_id": b"s;15", "cc_request_type": 2, **mine}
    yield {
        "session_id": b"s;16",
        "service_context_id": "32274@3gpp.org",
        "cc_request_type": 2,
        **mine,
        "multiple_services_credit_control": (service((Used(cc_service_specific_units=TOO_MANY),)),),
    }
    yield {"session_id": b"s;17", **mine, "extra": encode_avp(1, IMSI.encode() + b"\xff\xfe")}
    yield {"session_id": b"s;18", **mine, "extra": encode_avp(283, f"{IMSI}.example".encode())}


EXPECTED_EVENTS = {
    "charging.answer.mismatch",
    "charging.report.held",
    "charging.subscriber.mismatch",
    "charging.wallet.overdrawn",
    "config.warning",
    "diameter.message.rejected",
    "diameter.message.undecodable",
    "diameter.peer.rejected",
    "events.broker.down",
}


async def misbehave(gateway):
    """A peer that sends all of this, and strangers that are turned away."""
    peer = await RawPeer.open(gateway.diameter_port)
    for number, changes in enumerate(wrong_requests()):
        header, frame = await peer.ask(ccr(number, **{"origin_host": PGW, **changes}))
        assert header.hop_by_hop == number
        assert not frame[4] & 0x80
    peer.send(f"{IMSI} {MSISDN} is no Diameter at all".encode())
    await peer.rest()
    for first in (cer(f"{IMSI}.example"), cer(f"{MSISDN}.{OCS}"), f"{MSISDN} {ICCID} hello there".encode()):
        stranger = await RawPeer.connect(gateway.diameter_port)
        stranger.send(first)
        await stranger.rest()
        await stranger.leave()
    await peer.leave()


async def test_no_number_and_no_secret_is_told_whatever_goes_wrong(tmp_path):
    gateway = gateway_with_secrets(tmp_path / "gw")
    wanted = Wanted(gateway)
    wanted.command("config", "check", ok=(0,))
    wanted.command("config", "show", ok=(0,))
    wanted.command("subscriber", "show", STRANGER, ok=(1,))  # on the store itself
    try:
        gateway.start("--log-level", "debug")
        gateway.tpo("subscriber", "import", str(_good_file(tmp_path)), "--accept-checksum")
        ask_wrongly(wanted)
        await misbehave(gateway)
        await until(lambda: "events.broker.down" in gateway.log.read_text())
        events = gateway.tpo("events", "--limit", "5000").stdout
        status = gateway.tpo("status", "--json").stdout
        told = {
            "metrics": gateway.get("/metrics")[1],
            "page": gateway.get("/")[1],
            "events": events,
            "status": status,
            "health": gateway.get("/readyz")[1],
            **{f"answer {place}": text for place, text in enumerate(wanted.said)},
        }
        shown = gateway.json("subscriber", "show", IMSI)
        exported = gateway.tpo("usage", "export").stdout
    finally:
        gateway.stop()
    told["log"] = gateway.log.read_text()
    logged = {json.loads(line)["event"] for line in told["log"].splitlines() if line.startswith("{")}
    assert logged >= EXPECTED_EVENTS, EXPECTED_EVENTS - logged
    assert json.loads(events.splitlines()[0])["event"]["subject"].startswith("s1:")
    assert (shown["msisdn"], shown["iccid"]) == (MSISDN, ICCID)  # here they belong
    assert MSISDN in exported
    seen = [
        f"{canary} in {place}: ...{text[max(0, text.index(canary) - 150) : text.index(canary) + 60]}"
        for place, text in told.items()
        for canary in CANARIES
        if canary in text
    ]
    assert not seen, "\n".join(seen)


def _good_file(folder):
    file = folder / "good.csv"
    row = f"{MSISDN},{IMSI},{ICCID},payg-gb,wateraid,1.00"
    file.write_text(f"msisdn,imsi,iccid,plan,cause,balance\n{row}\n{','.join(OTHER)}\n")
    return file
