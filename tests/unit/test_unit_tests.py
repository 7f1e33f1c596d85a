"""What stands in tests/unit needs no lane on a store and no gateway's process: `make check` runs it before each commit.

Told by names: what a test imports of tests/support may not lead to one, nor may it open one itself. tests/lane, which mirrors
the same tree, is where the others stand (docs/architecture.md).
"""

import ast
from functools import cache
from pathlib import Path

import pytest

TESTS = Path(__file__).parents[1]
STARTS = {
    "gateway.context.GatewayContext",
    "gateway.store.lane.Lane",
    "gateway.store.process_lane.ProcessLane",
    "subprocess",
}
"""What a lane, or a process, is started by; a process of the interpreter alone is none, where a test itself starts it."""
ALLOWED = {
    "unit/gateway/store/test_process_lane.py": "the lane at its other end is played by the test, and has no store"
}
"""Files that start one all the same, and why."""
FILES = sorted(path.relative_to(TESTS).as_posix() for path in (TESTS / "unit").rglob("test_*.py"))


@cache
def names_of(file: Path) -> dict[str, str]:
    """The names that a file imports at its top, each with what it stands for."""
    found = {}
    for node in ast.parse(file.read_text()).body:
        if isinstance(node, ast.Import):
            found |= {(each.asname or each.name).partition(".")[0]: each.name for each in node.names}
        elif isinstance(node, ast.ImportFrom):
            found |= {each.asname or each.name: f"{node.module}.{each.name}" for each in node.names}
    return found


@cache
def support() -> dict[str, set[str]]:
    """What each name of tests/support speaks of, by the names in its definition."""
    found = {}
    for file in (TESTS / "support").glob("*.py"):
        module, imported = f"support.{file.stem}", names_of(file)
        body = ast.parse(file.read_text()).body
        own = {node.name for node in body if hasattr(node, "name")}
        for node in body:
            if hasattr(node, "name"):
                spoken = {each.id for each in ast.walk(node) if isinstance(each, ast.Name)}
                found[f"{module}.{node.name}"] = {imported[name] for name in spoken & imported.keys()} | {
                    f"{module}.{name}" for name in spoken & own
                }
    return found


@cache
def starting() -> set[str]:
    """The names that lead to a lane or a process."""
    found = set(STARTS)
    while more := {name for name, speaks in support().items() if speaks & found and name not in found}:
        found |= more
    return found


def started_by(file: Path) -> list[str]:
    return sorted(starting() & set(names_of(file).values()) - {"subprocess"})


@pytest.mark.parametrize("file", FILES)
def test_a_unit_test_starts_no_lane_and_no_gateway(file):
    found = started_by(TESTS / file)
    assert bool(found) == (file in ALLOWED), f"{file} has {found}: it belongs in tests/lane, or in tests/session"


def test_what_starts_one_is_known():
    assert {
        "support.lane_fixture.workplace",
        "support.gateways.Gateway",
        "support.charging_fixture.charging_place",
    } <= starting()
    assert "support.charging_fixture.ccr" not in starting()
