"""How many instructions of the interpreter a charging request costs the write lane, and in which functions.

The number is the same on any machine, whatever else that does, where CPU time spreads by a tenth: so it shows what a change of
a few per cent did. It is no CPU time: of what SQLite, msgspec or a driver do in C there is nothing in it. Sessions of I, U, U,
U, T on one rating group, batches of so many requests; versions of Python differ in what an instruction is.

    python -m tests.bench.instructions [--store sqlite|postgresql] [--batch 32] [--functions 30] [--json]
"""

import argparse
import json
import sys
import tempfile
from collections import Counter
from pathlib import Path
from types import CodeType

from support import postgres
from support.charging_fixture import INITIAL, TERMINATION, UPDATE, ChargingPlace, ccr, charging_place, service
from support.gateways import ROOT

LINES = 100
WARM = 4
"""Rounds of sessions before the one that is counted: what is made once is made in them."""


def line(number):
    """IMSI and MSISDN."""
    return {"imsi": f"23415{number:010d}", "msisdn": f"4477{number:08d}"}


def lives(place, first, size):
    """The requests of so many sessions beside each other, read from the wire, in five batches."""
    for step, kind in enumerate((INITIAL, UPDATE, UPDATE, UPDATE, TERMINATION)):
        asked = {} if kind == TERMINATION else {"ask": 0}
        said = service(10, [100_000] if step else [], **asked)
        sessions = range(first, first + size)
        yield [place.unit(ccr(kind, step, said, session=f"pgw;{each}", **line(each % LINES))) for each in sessions]


def run(place, batches):
    """Have each batch decided and committed."""

    def done(_answer, error):
        if error is not None:
            raise error

    for batch in batches:
        place.lane.post_all([(unit, done, float("inf")) for unit in batch])
        place.lane.run_pending()


def count(url, size):
    """The instructions and the calls of one round of sessions, by the code of each function; and how many requests it had."""
    with charging_place(url) as place:
        for number in range(LINES):
            place.enrol(100_000_000_000, **line(number))
    place = ChargingPlace(url)
    run(place, (batch for number in range(WARM) for batch in lives(place, number * size, size)))
    instructions: Counter[CodeType] = Counter()
    calls: Counter[CodeType] = Counter()

    def step(frame, event, _argument):
        if event == "opcode":
            instructions[frame.f_code] += 1
        return step

    def enter(frame, _event, _argument):
        frame.f_trace_opcodes, frame.f_trace_lines = True, False
        calls[frame.f_code] += 1
        return step

    work = list(lives(place, WARM * size, size))
    before = sys.gettrace()
    sys.settrace(enter)
    try:
        run(place, work)
    finally:
        sys.settrace(before)
    ours = {code for code in instructions if code.co_filename.startswith(str(ROOT / "gateway"))}
    return {each: instructions[each] for each in ours}, calls, sum(map(len, work))


def report(url, size, functions):
    """What `--json` prints."""
    instructions, calls, requests = count(url, size)
    most = sorted(instructions, key=lambda code: -instructions[code])[:functions]
    return {
        "instructions": round(sum(instructions.values()) / requests, 1),
        "calls": round(sum(calls[code] for code in instructions) / requests, 1),
        "functions": [
            {
                "function": code.co_qualname,
                "file": f"{Path(code.co_filename).relative_to(ROOT)}:{code.co_firstlineno}",
                "instructions": round(instructions[code] / requests, 1),
                "calls": round(calls[code] / requests, 2),
            }
            for code in most
        ],
    }


def main(arguments=None):
    """Count, and print."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench.instructions", description=__doc__.partition("\n")[0])
    parser.add_argument("--store", choices=("sqlite", "postgresql"), default="sqlite")
    parser.add_argument("--batch", type=int, default=32, help="requests of a batch")
    parser.add_argument("--functions", type=int, default=30, help="how many functions are told")
    parser.add_argument("--json", action="store_true", help="for a program")
    options = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory() as folder:
        if options.store == "sqlite":
            told = report(f"sqlite:///{folder}/instructions.db", options.batch, options.functions)
        else:
            with postgres.server() as database:
                told = report(database("instructions"), options.batch, options.functions)
    if options.json:
        json.dump(told, sys.stdout)
        return
    print(f"{told['instructions']} instructions and {told['calls']} calls a charging request, {options.store}")
    for each in told["functions"]:
        print(f"{each['instructions']:8} {each['calls']:6} calls  {each['function']}  {each['file']}")


if __name__ == "__main__":
    main()
