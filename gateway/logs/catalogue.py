"""Every event that our logs tell of: how bad it is, what it means, what to do. docs/log-events.md is made from it.

`python -m gateway.logs.catalogue` writes that page; a test compares it, and looks for names that are missing here.
"""

from __future__ import annotations

from pathlib import Path
from typing import Final

from gateway.logs.events import broker, charging, diameter, giving, process, sims, store, texts
from gateway.logs.events.event import LogEvent

PAGE: Final = Path("docs/log-events.md")
EVENTS: Final[dict[str, LogEvent]] = {
    **process.EVENTS,
    **diameter.EVENTS,
    **texts.EVENTS,
    **charging.EVENTS,
    **sims.EVENTS,
    **giving.EVENTS,
    **broker.EVENTS,
    **store.EVENTS,
}
"""The table of all log events, in the order in which the page shows them."""


def page() -> str:
    """Return docs/log-events.md."""
    lines = [
        "# What the log says, and what to do",
        "",
        "Every line is one event: a constant name with fields. Numbers and keys are masked. This page is made from",
        "`gateway/logs/events/` by `python -m gateway.logs.catalogue`.",
        "",
        "An event marked \u2021 comes with each message and is not always written: after 10 lines of a kind (the event and its",
        "peer, link or host) there is one every 5 seconds, and `suppressed=N` on it stands for N more like it. The metric",
        "`tpo_alarms_total` counts every one that is worse than information.",
        "",
        "| event | level | what it means | what to do |",
        "|---|---|---|---|",
        *(_row(name, event) for name, event in EVENTS.items()),
    ]
    return "\n".join(lines) + "\n"


def _row(name: str, event: LogEvent) -> str:
    mark = " \u2021" if event.per_message else ""
    return f"| `{name}`{mark} | {event.level} | {event.meaning} | {event.action} |"


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
