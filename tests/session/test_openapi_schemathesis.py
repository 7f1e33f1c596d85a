"""schemathesis against the API of a gateway that runs, by its own description: every check, every phase."""

import os
import subprocess
import sys
from pathlib import Path

from support.gateways import ROOT
from support.sms_gateway import TOKENS, SmsGateway

SCHEMATHESIS = Path(sys.executable).with_name("schemathesis")
EXAMPLES = os.environ.get("TPO_API_EXAMPLES", "4")
SEED = os.environ.get("TPO_API_SEED", "1")


def test_what_the_description_promises_holds_and_nothing_breaks_the_api(tmp_path):
    with SmsGateway(tmp_path) as gateway:
        told = subprocess.run(
            [SCHEMATHESIS, "run", f"http://127.0.0.1:{gateway.http_port}/openapi.json", "--checks", "all",
             "--max-examples", EXAMPLES, "--seed", SEED, "--suppress-health-check", "all", "--no-color",
             "-H", f"Authorization: Bearer {TOKENS['operator']}"],
            capture_output=True, text=True, timeout=300, cwd=tmp_path, check=False,
            env={**os.environ, "SCHEMATHESIS_HOOKS": "support.api_formats", "PYTHONPATH": f"{ROOT}/tests"},
        )  # fmt: skip
        assert told.returncode == 0, told.stdout[-6000:] + told.stderr[-2000:]
        assert "Tested: 33" in told.stdout
    assert "http.request.failed" not in gateway.log.read_text()
