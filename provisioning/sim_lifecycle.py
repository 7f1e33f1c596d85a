"""The life of a SIM: its states, every way between them, and what it is suspended for. docs/sim-life.md is made from it.

The state is what the company intends; what a host shows is kept beside it and compared with it, never written into it. A
SIM moves by the triggers of TABLE alone. Why it is suspended is a set: it is active again when the last reason is gone, so
that paying a bill does not lift a bar for fraud.

`python -m provisioning.sim_lifecycle` writes that page; a test compares it.
"""

from collections.abc import Iterable
from enum import StrEnum
from pathlib import Path
from typing import Final

from provisioning.errors import MoveInvalid

PAGE: Final = Path("docs/sim-life.md")


class SimState(StrEnum):
    """Where a SIM stands in its life."""

    IN_STOCK = "in_stock"
    RESERVED = "reserved"
    ACTIVATING = "activating"
    ACTIVE = "active"
    SUSPENDED = "suspended"
    TERMINATING = "terminating"
    QUARANTINED = "quarantined"
    DESTROYED = "destroyed"
    FAILED = "failed"


class Trigger(StrEnum):
    """What can happen to a SIM."""

    ADOPT = "adopt"
    RESERVE = "reserve"
    RELEASE = "release"
    BEGIN = "begin"
    ENABLED = "enabled"
    FAILED = "failed"
    UNDONE = "undone"
    SUSPEND = "suspend"
    EASE = "ease"
    RESUME = "resume"
    TERMINATE = "terminate"
    ENDED = "ended"
    REPLACED = "replaced"
    RETIRE = "retire"
    AMEND = "amend"


class SuspendReason(StrEnum):
    """Why a SIM is suspended; several may hold at once."""

    CUSTOMER = "customer"
    FRAUD = "fraud"
    CREDIT = "credit"
    LOST = "lost"


TABLE: Final[dict[tuple[SimState, Trigger], SimState]] = {
    # state, trigger                             next state
    (SimState.IN_STOCK, Trigger.ADOPT): SimState.ACTIVE,
    (SimState.IN_STOCK, Trigger.RESERVE): SimState.RESERVED,
    (SimState.IN_STOCK, Trigger.RETIRE): SimState.DESTROYED,
    (SimState.IN_STOCK, Trigger.AMEND): SimState.IN_STOCK,
    (SimState.RESERVED, Trigger.RELEASE): SimState.IN_STOCK,
    (SimState.RESERVED, Trigger.BEGIN): SimState.ACTIVATING,
    (SimState.ACTIVATING, Trigger.ENABLED): SimState.ACTIVE,
    (SimState.ACTIVATING, Trigger.FAILED): SimState.FAILED,
    (SimState.ACTIVATING, Trigger.UNDONE): SimState.IN_STOCK,
    (SimState.FAILED, Trigger.BEGIN): SimState.ACTIVATING,
    (SimState.FAILED, Trigger.UNDONE): SimState.IN_STOCK,
    (SimState.ACTIVE, Trigger.SUSPEND): SimState.SUSPENDED,
    (SimState.ACTIVE, Trigger.TERMINATE): SimState.TERMINATING,
    (SimState.ACTIVE, Trigger.REPLACED): SimState.QUARANTINED,
    (SimState.ACTIVE, Trigger.AMEND): SimState.ACTIVE,
    (SimState.SUSPENDED, Trigger.AMEND): SimState.SUSPENDED,
    (SimState.SUSPENDED, Trigger.SUSPEND): SimState.SUSPENDED,
    (SimState.SUSPENDED, Trigger.EASE): SimState.SUSPENDED,
    (SimState.SUSPENDED, Trigger.RESUME): SimState.ACTIVE,
    (SimState.SUSPENDED, Trigger.TERMINATE): SimState.TERMINATING,
    (SimState.SUSPENDED, Trigger.REPLACED): SimState.QUARANTINED,
    (SimState.TERMINATING, Trigger.ENDED): SimState.QUARANTINED,
    (SimState.QUARANTINED, Trigger.RETIRE): SimState.DESTROYED,
}
"""Every way that there is. A termination that has begun is only finished, never taken back: the number may be promised."""

STATES: Final[dict[SimState, str]] = {
    SimState.IN_STOCK: "In the inventory; no host knows it.",
    SimState.RESERVED: "Promised to an order that has not begun.",
    SimState.ACTIVATING: "An order is bringing it up at the host.",
    SimState.ACTIVE: "In service.",
    SimState.SUSPENDED: "Barred at the host, for one reason or several; it keeps its number.",
    SimState.TERMINATING: "An order is taking it out of service.",
    SimState.QUARANTINED: "Out of service for good; late usage may still arrive, so the host keeps it, without a number.",
    SimState.DESTROYED: "Gone from the host, never to be used again.",
    SimState.FAILED: "Its order gave up half-way; a person has it tried again, or undone.",
}
"""What each state means."""

TRIGGERS: Final[dict[Trigger, str]] = {
    Trigger.ADOPT: "it is taken in with a line that is live on its host already",
    Trigger.RESERVE: "an order is accepted for it",
    Trigger.RELEASE: "the order is cancelled before it began",
    Trigger.BEGIN: "the order's first step is about to be sent, or a failed order is tried again",
    Trigger.ENABLED: "the host shows what was wanted, and the line is enabled",
    Trigger.FAILED: "the order gave up",
    Trigger.UNDONE: "what the host held before is given back",
    Trigger.SUSPEND: "it is suspended, or for one more reason",
    Trigger.EASE: "a reason is gone, and another one holds",
    Trigger.RESUME: "the last reason is gone",
    Trigger.TERMINATE: "the line is to end",
    Trigger.ENDED: "the line has ended at the host and with us",
    Trigger.REPLACED: "a swap has put another SIM in its place",
    Trigger.RETIRE: "quarantine is over, or it is scrapped from stock",
    Trigger.AMEND: "a column of its import, its number or its plan is put right",
}
"""What each trigger means."""


def follow(state: SimState, trigger: Trigger) -> SimState:
    """Return the state that a trigger leads to; MoveInvalid says from where it can be done."""
    try:
        return TABLE[state, trigger]
    except KeyError:
        places = " or ".join(start for start, way in TABLE if way is trigger)
        raise MoveInvalid(f"the SIM is {state}; {trigger} is possible only when it is {places}") from None


def suspended_for(reasons: frozenset[SuspendReason], add: SuspendReason) -> frozenset[SuspendReason]:
    """Return what it is suspended for with one more reason; the others stay."""
    return reasons | {add}


def resumed(reasons: frozenset[SuspendReason], remove: SuspendReason) -> frozenset[SuspendReason]:
    """Return what it is still suspended for without one reason; one that does not hold changes nothing."""
    return reasons - {remove}


def resume_trigger(left: frozenset[SuspendReason]) -> Trigger:
    """Return what taking a reason away does, by the reasons that are left: it is active again only without any."""
    return Trigger.EASE if left else Trigger.RESUME


def read_reasons(text: str) -> frozenset[SuspendReason]:
    """Read what `write_reasons` wrote; ValueError for a reason that there is not."""
    return frozenset(SuspendReason(part) for part in text.split(",")) if text else frozenset()


def write_reasons(reasons: Iterable[SuspendReason]) -> str:
    """Write reasons for a column of text: sorted, `credit,fraud`; empty without any."""
    return ",".join(sorted(reasons))


def page() -> str:
    """Return docs/sim-life.md."""
    return "\n".join([*_THEORY, *_diagram(), *_tables()]) + "\n"


_THEORY: Final = (
    "# The life of a SIM",
    "",
    "The state of a SIM is what we intend. How the host held it when it was last read stands beside it, and the two are",
    "compared; what a host says never moves a SIM by itself. Orders do: each moment of an order fires a trigger, the table",
    "below says where it leads, and whatever is not in the table is refused. Each move is kept with its time, actor, reason",
    "and order.",
    "",
    "A SIM is suspended for a set of reasons ("
    + ", ".join(SuspendReason)
    + "). A further one is added and replaces none; a",
    "resume takes one away, and service comes back with the last one: paying a bill does not lift a bar for fraud. What is",
    "activating or terminating belongs to its order until that ends.",
    "",
    "Whatever a host held before an order came is not the order's. Each step reads it before it sends anything and keeps it on",
    "record; to undo a step is to give that back. An activation, or a swap's new card, that finds the card in service there",
    "already, or the number on another IMSI, is refused and changes nothing; `tpo sim activate --adopt` takes the card's own",
    "line over, with `adopt` as the reason in its history. Later orders touch the line only under our number, a retirement",
    "deletes only what a termination left. `tpo order show` tells what each step found.",
    "",
    "A mistake of an import is put right by `tpo sim amend`: keys and EID of any card in stock or in service, the IMSI only in",
    "stock, for a line in service runs with the one that its host has. `tpo sim scrap` destroys a card in stock, whose IMSI is",
    "free then. `tpo subscriber number` and `tpo subscriber plan` change a line at its host first, then in our books. Each",
    "asks for a reason, which stands with who it was in the history of the card and of the subscriber.",
    "",
    "This page is made from `provisioning/sim_lifecycle.py` by `python -m provisioning.sim_lifecycle`.",
    "",
)


def _diagram() -> list[str]:
    """Draw TABLE in Mermaid: a new SIM is in stock, a destroyed one is the end."""
    ways = [f"    {state} --> {after}: {trigger}" for (state, trigger), after in TABLE.items()]
    ends = [f"    {state} --> [*]" for state in SimState if not any(start is state for start, _ in TABLE)]
    return ["```mermaid", "stateDiagram-v2", f"    [*] --> {SimState.IN_STOCK}", *ways, *ends, "```", ""]


def _tables() -> list[str]:
    """Lay out the states with their meaning, and TABLE row by row."""
    return [
        "| state | what it means |",
        "|---|---|",
        *(f"| `{state}` | {STATES[state]} |" for state in SimState),
        "",
        "| from | trigger | when | to |",
        "|---|---|---|---|",
        *(f"| `{start}` | `{way}` | {TRIGGERS[way]} | `{after}` |" for (start, way), after in TABLE.items()),
    ]


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
