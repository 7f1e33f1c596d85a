"""Evidence packs by the commands of a gateway: committed to, drawn, checked by their verifier, and refused for false rows."""

import hashlib
import json
import subprocess
import sys
import urllib.error
import urllib.request
from base64 import b64decode
from pathlib import Path

from sqlalchemy import select, text
from support.booked_use import use
from support.gateways import Gateway, subscribers
from support.patience import PATIENCE
from test_bills_by_command import GIVEN_OUT, last_month

from gateway.context import EVIDENCE
from gateway.privacy.pseudonyms import derive
from gateway.store.engine import open_writer
from gateway.store.evidence import Evidence
from gateway.store.nodes import SPAN_BITS
from gateway.store.tables import transfers, usage

ROWS = subscribers(2, cause="wwf")
AUDITOR = "auditor-token-0123456789"
TOKENS = (
    f"{{name: audit, role: auditor, rights: [causes], token: {AUDITOR}}}, "
    "{name: blind, role: admin, token: blind-token-0123456789}"
)


def prove(gateway):
    """Append the link that the gateway would have for the use that was written into its store."""
    engine = open_writer(f"sqlite:///{gateway.folder}/var/tpo.db")
    with engine.begin() as connection:
        rows = {
            table.name: [tuple(row) for row in connection.execute(select(table).where(table.c.id >= GIVEN_OUT))]
            for table in (transfers, usage)
        }
        key = derive((gateway.folder / "var/tpo.key").read_bytes().strip(), EVIDENCE)
        Evidence(key, GIVEN_OUT >> SPAN_BITS).append(connection, rows, 1)
    engine.dispose()


def ask(gateway, path, token, body=None):
    """Ask over HTTP: the status, the header, and the octets."""
    url, told = f"http://127.0.0.1:{gateway.http_port}/v1/charity/{path}", {"Authorization": f"Bearer {token}"}
    data = None if body is None else json.dumps(body).encode()
    try:
        with urllib.request.urlopen(urllib.request.Request(url, data, told), timeout=PATIENCE) as answer:
            return answer.status, answer.headers, answer.read()
    except urllib.error.HTTPError as error:
        return error.code, error.headers, error.read()


def audit_over_http(gateway, period, made):
    """An auditor with a token draws the same sample, and has the same octets; who has no right to causes has none of it."""
    asked = {"period": period, "seed": "2-4-1", "sample": 50}
    for path, body in (("audits", asked), (f"audits/{made['sha256']}", None), (f"commitments/{period}", None)):
        assert ask(gateway, path, "blind-token-0123456789", body)[0] == 403
    assert ask(gateway, f"audits/{made['sha256']}", AUDITOR)[0] == 404
    status, headers, told = ask(gateway, "audits", AUDITOR, asked)
    assert (status, headers["Location"]) == (201, f"/v1/charity/audits/{made['sha256']}")
    assert json.loads(told)["claim"] == made["claim"]
    status, headers, octets = ask(gateway, f"audits/{made['sha256']}", AUDITOR)
    assert (status, headers["Content-Type"], hashlib.sha256(octets).hexdigest()) == (
        200,
        "application/gzip",
        made["sha256"],
    )
    assert json.loads(told)["octets"] == len(octets)
    return ask(gateway, f"commitments/{period}", AUDITOR)[2]


def lie(gateway):
    engine = open_writer(f"sqlite:///{gateway.folder}/var/tpo.db")
    with engine.begin() as connection:
        connection.execute(text("DROP TRIGGER usage_unchanged"))
        connection.execute(text("UPDATE usage SET octets = 6"))
    engine.dispose()


def check(folder, *options):
    done = subprocess.run(
        [sys.executable, "-I", folder / "verify.py", *options], capture_output=True, text=True, check=False
    )
    return done.returncode, done.stdout


def test_a_month_is_committed_to_drawn_and_checked_and_a_false_row_is_named_in_place_of_a_pack(tmp_path):
    gateway, period = Gateway(tmp_path / "gw"), last_month()
    written = gateway.config.read_text()
    gateway.config.write_text(written.replace("tpo.sock}", f"tpo.sock, tokens: [{TOKENS}]}}"))
    gateway.enrol(ROWS)
    use(gateway, int(gateway.json("subscriber", "show", ROWS[0][0])["subscriber_id"]), GIVEN_OUT)
    prove(gateway)
    with gateway:
        gateway.tpo("bill", "close", period)
        committed = gateway.json("charity", "audit", period, "--out", tmp_path)
        made = gateway.json("charity", "audit", period, "--seed", "2-4-1", "--out", tmp_path)
        commitment = json.loads(audit_over_http(gateway, period, made))
        bill = gateway.json("charity", "evidence", "1", "--folder", "--out", tmp_path)
        gateway.tpo("charity", "report", period, "--for", "company", "--format", "pdf", "-o", tmp_path / "giving.pdf")
        assert "donné" in gateway.tpo("charity", "report", period, "--for", "cause:wwf", "--language", "fr").stdout
        advice = tmp_path / "advice.txt"
        gateway.tpo("charity", "remittance", period, "--cause", "wwf", "--language", "es", "-o", advice)
        assert ("Aviso de pago" in advice.read_text(), advice.stat().st_mode & 0o777) == (True, 0o600)
        assert (tmp_path / "giving.pdf").read_bytes().startswith(b"%PDF")
        assert (tmp_path / "giving.pdf").stat().st_mode & 0o777 == 0o600
    pack = tmp_path / f"tpo-evidence-audit-{period}.tar.gz"
    assert (made["bills"], made["of"], pack.stat().st_mode & 0o777) == (1, 1, 0o600)
    assert made["unsealed"] == 4  # a bill, its use, an entry and a tenth, of which no day is over
    assert hashlib.sha256(pack.read_bytes()).hexdigest() == made["sha256"]
    subprocess.run(["tar", "-xzf", pack, "-C", tmp_path], check=True)
    options = ("--key", made["key"], "--commitment", committed["written"], "--unsealed")
    code, said = check(tmp_path / pack.name.removesuffix(".tar.gz"), *options)
    assert b64decode(commitment["commitment"]) == Path(committed["written"]).read_bytes()
    assert (code, "PASS 1 bills, 1 usage, 1 entries, 1 tenths, 1 unpriced" in said) == (0, True)
    assert check(tmp_path / "tpo-evidence-bill-1", *options)[1].splitlines()[1] == bill["claim"]
    assert bill["claim"] == f"Of this bill of {period}, 0.100000 GBP was set aside for causes."
    lie(gateway)
    refused = json.loads(gateway.tpo("charity", "evidence", "1", "--json", "--out", tmp_path / "no", ok=(1,)).stderr)
    assert (refused["code"], "a row of usage" in refused["detail"]) == ("evidence.unproved", True)
    assert ROWS[0][0] not in gateway.log.read_text()
    assert '"charity.evidence.made"' in gateway.log.read_text()
