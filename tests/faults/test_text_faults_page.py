"""docs/faults-smpp.md names tests that are there."""

import ast
import re

from support.gateways import ROOT

PAGE = ROOT / "docs" / "faults-smpp.md"
TRAPS = 29


def test_every_test_that_the_page_of_faults_names_is_there():
    named = set(re.findall(r"`([a-z_/0-9]+\.py)::(test_\w+)`", PAGE.read_text()))
    assert len(named) > 60
    defined = {
        (path, node.name)
        for path in {path for path, _ in named}
        for node in ast.parse((ROOT / "tests" / path).read_text()).body
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
    }
    assert named - defined == set()


def test_the_page_of_faults_has_every_trap():
    rows = re.findall(r"^\| (\d+) \|", PAGE.read_text(), re.MULTILINE)
    assert rows == [str(number) for number in range(1, TRAPS + 1)]
