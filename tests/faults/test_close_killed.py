"""A close that is killed by SIGKILL between its steps goes on: no bill twice, no number left out, the books right."""

import os
import signal
import subprocess
import sys

from support.billing_fixture import billing_place
from support.gateways import ROOT
from support.lane_fixture import EVIDENCE_KEY

from gateway.billing import close_job
from gateway.billing.check_bills import wrong_bills
from gateway.charity.policies import recompute
from gateway.ledger.check import check

LINES = 20


def test_a_close_that_is_killed_again_and_again_gives_each_line_one_bill(tmp_path, monkeypatch):
    url = f"sqlite:///{tmp_path}/tpo.db"
    with billing_place(url) as place:
        for number in range(LINES):
            place.enrol(1_000_000, imsi=f"2341500000000{number:02d}", msisdn=f"4477009000{number:02d}")
        period, now = place.pass_month(), place.ticks.now
    for steps in (1, 3):
        now += 60_000_000
        words = [sys.executable, "-m", "support.killed_close", url, period, str(steps)]
        env = {**os.environ, "PYTHONPATH": f"{ROOT}:{ROOT / 'tests'}", "TPO_NOW": str(now)}
        killed = subprocess.run(words, cwd=ROOT, env=env, check=False, capture_output=True, timeout=300)
        assert killed.returncode == -signal.SIGKILL, killed.stderr.decode()
    with billing_place(url) as place:
        place.ticks.now = now + 60_000_000
        monkeypatch.setattr(close_job, "LINES", 3)
        (begun,) = place.closes()
        assert (begun.state, begun.bills) == ("running", 12)
        done = place.close_month(period)
        assert (done.id, done.bills) == (begun.id, LINES)
        assert [row.number for row in place.bills()] == list(range(1, LINES + 1))
        assert len({row.subscriber_id for row in place.bills()}) == LINES
        with place.reading() as connection:
            assert wrong_bills(connection) == []
            assert check(connection, recompute, EVIDENCE_KEY).findings == []
