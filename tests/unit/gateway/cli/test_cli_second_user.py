"""A person on call, in the group of the gateway's socket, who may not read the gateway's secrets."""

import os
import subprocess
import sys

import pytest
from support.scripted_gateway import ROOT, scripted

from gateway.cli import main

CONFIG = f"""\
operator: {{name: T, currency: EUR}}
store: {{url: 'sqlite:///tpo.db'}}
api: {{socket: s, tokens: [{{name: web, role: operator, token: {{env: TPO_TEST_ABSENT}}}}]}}
privacy: {{key: {{file: /root/nobody/reads/this}}}}
plans: {ROOT}/config/plans.yaml
causes: {ROOT}/config/causes.yaml
"""
PAGE = {"rows": [], "next": None, "columns": ["id"], "text": "", "until": 0, "period": "2026-11", "differences": []}
COMMANDS = {
    "sim.list": ["sim", "list"],
    "order.list": ["order", "list"],
    "subscriber.show": ["subscriber", "show", "447700900001"],
    "subscriber.topup": ["subscriber", "topup", "447700900001", "5.00", "--reference", "r1"],
    "subscriber.cause": ["subscriber", "cause", "447700900001", "wwf"],
    "ledger.balances": ["ledger", "balances"],
    "ledger.journal": ["ledger", "journal"],
    "ledger.months": ["ledger", "months"],
    "ledger.export": ["ledger", "export"],
    "ledger.totals": ["ledger", "totals", "2026-11"],
    "ledger.tax": ["ledger", "tax", "2026-11"],
    "events.list": ["events"],
    "plan.versions": ["plan", "versions", "payg-gb"],
    "usage.export": ["usage", "export"],
    "usage.review.list": ["usage", "review", "list"],
    "notice.list": ["notice", "list"],
    "fraud.list": ["fraud", "list"],
    "fraud.clear": ["fraud", "clear", "7", "--reason", "x"],
    "subscriber.bill-limits": ["subscriber", "bill-limit", "447700900001"],
    "usage.review.drop": ["usage", "review", "drop", "7", "--reason", "x"],
    "sms.list": ["sms", "list"],
    "link.list": ["link", "list"],
}


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "gateway.yaml").write_text(CONFIG)
    return tmp_path


@pytest.mark.parametrize("action", COMMANDS)
def test_commands_go_through_the_socket_and_read_no_secret(folder, action):
    with scripted(folder, **{action: PAGE}) as script:
        assert main(["--config", str(folder / "gateway.yaml"), *COMMANDS[action]]) == 0
    [params] = script.params(action)
    assert params.get("currency") in (None, "EUR")


def test_ledger_check_goes_through_the_socket_too(folder):
    report = {"ok": True, "entries": 0, "wallets": 0, "accruals": 0, "findings": [], "unknown": {}}
    with scripted(folder, ledger__check=report):
        assert main(["--config", str(folder / "gateway.yaml"), "ledger", "check"]) == 0


def test_with_the_gateway_stopped_the_secrets_are_needed_and_named(folder, capsys):
    assert main(["--config", str(folder / "gateway.yaml"), "sim", "list"]) == 78
    assert "TPO_TEST_ABSENT" in capsys.readouterr().err


def test_a_socket_in_a_folder_that_is_closed_to_us_is_said_to_be_so(folder):
    (folder / "closed").mkdir(mode=0)
    text = CONFIG.replace("socket: s", "socket: closed/s")
    (folder / "gateway.yaml").write_text(text)
    bare = (
        ("setpriv", "--inh-caps=-all", "--bounding-set=-all") if os.geteuid() == 0 else ()
    )  # root passes every folder
    command = [*bare, sys.executable, "-m", "gateway.cli", "--config", folder / "gateway.yaml", "sim", "list"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 69
    assert "you may not talk to the gateway" in done.stderr
