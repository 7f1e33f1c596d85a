"""What a charging request costs the write lane in instructions of the interpreter, which no busy machine changes."""

import sys

from tests.bench.instructions import report

MOST = {(3, 11): 4_000}
"""By version of Python, which decides what an instruction is. Whoever raises it says in the commit what it is for."""


def test_a_charging_request_takes_no_more_instructions_than_is_known(tmp_path):
    told = report(f"sqlite:///{tmp_path}/instructions.db", size=32, functions=3)
    assert 1_000 < told["instructions"] <= MOST.get(sys.version_info[:2], float("inf")), told["functions"]
