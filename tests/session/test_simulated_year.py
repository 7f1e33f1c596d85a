"""`tpo simulate year`: a few lines and months of it, everything proved, twice the same; and it ends when it is told to."""

import asyncio
import json
import signal
import sys

import msgspec

from simulators.bank import Bank
from simulators.year.report import page
from simulators.year.year import Year

COMMAND = (sys.executable, "-m", "gateway.cli", "simulate", "year")


async def start(folder, *options):
    pipe = asyncio.subprocess.PIPE
    folder.mkdir()
    return await asyncio.create_subprocess_exec(
        *COMMAND, *options, stdout=pipe, stderr=pipe, env={"TMPDIR": str(folder), "PATH": "/usr/bin:/bin"}
    )


def without_times(told):
    months = [{name: value for name, value in month.items() if name != "seconds"} for month in told["months"]]
    return {**told, "months": months, "seconds": 0}


async def test_two_months_of_an_operator_hold_in_all_that_is_proved_and_the_same_seed_makes_them_again(tmp_path):
    kept = tmp_path / "kept"
    process = await start(tmp_path / "own", "--lines", "20", "--months", "2", "--json", "--folder", str(kept))
    (tmp_path / "again").mkdir()
    again = await Year(tmp_path / "again", lines=20, months=2, seed=1, on_progress=lambda _text: None).run()
    out, errors = await process.communicate()
    told = json.loads(out)
    assert (process.returncode, told["held"]) == (0, True), (told, errors)
    assert without_times({"held": True, **msgspec.to_builtins(again)}) == without_times(told)
    assert [month["period"] for month in told["months"]] == ["2025-01", "2025-02"]
    assert all(float(told["months"][1][name]) > 0 for name in ("charged", "paid", "accrued", "confirmed", "passed_on"))
    assert {"payments to causes refused", "payments to causes returned", "payments taken back", "late uses"} <= {
        what for what, count in told["done"].items() if count
    }
    assert told["pack"].startswith("PASS ")
    assert (kept / "tpo.db").stat().st_mode & 0o077 == 0
    assert {file.suffix for file in (kept / "bank").iterdir()} == {".xml"}


async def test_a_year_that_is_interrupted_ends_at_once_and_leaves_nothing(tmp_path):
    process = await start(tmp_path / "own", "--lines", "20")
    assert await process.stderr.readline() == b"20 lines come in\n"
    process.send_signal(signal.SIGINT)
    out, errors = await process.communicate()
    assert (process.returncode, out) == (1, b"")
    assert b"Traceback" not in errors
    assert list((tmp_path / "own").iterdir()) == []


async def test_a_year_whose_bank_pays_a_penny_less_is_said_not_to_hold(tmp_path, monkeypatch):
    received = Bank._receive
    monkeypatch.setattr(Bank, "_receive", lambda bank, order, amount: received(bank, order, amount - 1))
    result = await Year(tmp_path, lines=12, months=2, seed=1, on_progress=lambda _text: None).run()
    assert not result.held
    assert {failure.split(": ")[1] for failure in result.failures} == {"causes received what the books say"}
    assert "DID NOT HOLD:" in list(page(result))
